{{
    config(
        unique_key='twap_id',
        meta={
            'indexes': {
                'idx_twap_withdrawn_wallet_updated_at': '(wallet, updated_at, twap_id collate "C")',
            },
        },
    )
}}
-- depends_on: {{ touched('twap_id') }}

with superseded_rows as (
    select
        twap_id,
        wallet,
        touched_at
    from {{ ref('int_landed_rows') }}
    where
        not is_shown
        and reason is null
)

select
    twap_id,
    wallet,
    max(touched_at) as updated_at
from superseded_rows
where
    not exists (
        select from {{ ref('twap_latest') }} as latest
        where
            latest.twap_id = superseded_rows.twap_id
            and latest.wallet = superseded_rows.wallet
    )
group by twap_id, wallet
