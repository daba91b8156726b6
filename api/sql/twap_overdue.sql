-- Whose TWAPs of this id should have ended, as of now.
with data_version as (
    {{ data_version() }}
)

select
    {{ version_columns() }},
    array_agg(latest.wallet) as wallets
from marts.twap_latest as latest
where
    latest.twap_id = %(twap_id)s
    and latest.is_overdue
