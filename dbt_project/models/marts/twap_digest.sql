{{ config(unique_key='day') }}

{#- The text of a row is part of our contract with other instances: see the YAML. -#}

with canonical_rows as (
    select
        (rows.ts at time zone 'UTC')::date as day,
        rows.twap_id,
        rows.wallet,
        rows.ts,
        rows.status,
        jsonb_build_array(
            rows.twap_id,
            rows.wallet,
            {{ microseconds('rows.ts') }},
            {{ microseconds('rows.order_ts') }},
            rows.asset,
            rows.side,
            rows.status,
            rows.status_error,
            trim_scale(rows.size_requested)::text,
            trim_scale(rows.size_executed)::text,
            trim_scale(rows.notional_executed)::text,
            rows.duration_minutes,
            rows.reduce_only,
            rows.randomize
        )::text as canonical_text
    from {{ rows_in_touched(ref('twap_status'), 'day') }}
)

select
    day,
    count(*)::integer as events,
    encode(
        sha256(
            convert_to(
                string_agg(
                    canonical_text,
                    e'\n'
                    order by
                        twap_id collate "C",
                        wallet collate "C",
                        ts,
                        status collate "C"
                ),
                'UTF8'
            )
        ),
        'hex'
    ) as sha256
from canonical_rows
group by day
