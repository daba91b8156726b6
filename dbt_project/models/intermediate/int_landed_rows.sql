{{ config(unlogged=true) }}

{#-
Each `lateral … offset 0` is one step that Postgres evaluates once a row: without it, the
expressions of one step would be copied into each place of the next that names them.
The id stands outside, so that the filter on it finds the index of the landed rows.
-#}

-- Read twice in an increment, and yet filtered before anything else.
with landed_rows as not materialized (
    select
        {{ normalised_twap_id('twap_id') }} as normalised_twap_id,
        *
    from {{ ref('stg_twap_statuses') }}
),

rows_in_scope as (
    {%- if is_full_build() %}
    select * from landed_rows
    {%- else %}
    select *
    from landed_rows
    where normalised_twap_id in (
        select twap_id from {{ ref('int_touched_twaps') }}
    )

    union all

    select *
    from landed_rows
    where
        normalised_twap_id is null
        and s3_object_key in (
            select s3_object_key from {{ ref('int_touched_objects') }}
        )
    {%- endif %}
)

select
    landed.normalised_twap_id as twap_id,
    keys.wallet,
    keys.ts,
    keys.order_ts,
    keys.asset,
    coalesce(nullif(landed.side, ''), 'unknown') as side,
    numbers.size_requested,
    numbers.size_executed,
    numbers.notional_executed,
    keys.status,
    parsed.status_error,
    {{ is_terminal('keys.status') }} as is_terminal,
    parsed.duration_minutes,
    {{ boolean_of('landed.reduce_only') }} as reduce_only,
    {{ boolean_of('landed.randomize') }} as randomize,
    landed.s3_object_key,
    landed.s3_etag,
    landed.row_number,
    landed.raw_payload,
    versions.last_modified,
    versions.is_shown,
    versions.touched_at,
    loads.completed_at as landed_at,
    {{ rejection_reason() }} as reason
from rows_in_scope as landed
inner join {{ ref('int_loads') }} as loads on landed.load_id = loads.load_id
inner join {{ ref('int_object_versions') }} as versions
    on
        landed.s3_object_key = versions.s3_object_key
        and landed.s3_etag = versions.s3_etag
cross join lateral (
    select
        {{ number('landed.size_requested') }} as size_requested,
        {{ number('landed.size_executed') }} as size_executed,
        {{ number('landed.notional_executed') }} as notional_executed,
        {{ number('landed.duration_minutes') }} as duration_minutes,
        {{ number('landed.event_time') }} as event_time,
        {{ number('landed.order_time') }} as order_time,
        {{ status_as_json('landed.status') }} as status_json
    offset 0
) as numbers
cross join lateral (
    select
        {{ instant('landed.event_time', 'numbers.event_time') }} as event_at,
        {{ instant('landed.order_time', 'numbers.order_time') }} as order_at,
        {{ duration_minutes('numbers.duration_minutes') }} as duration_minutes,
        {{ published_status('landed.status', 'numbers.status_json') }} as status,
        {{ published_error('landed.status', 'numbers.status_json', 'landed.status_error') }}
            as status_error
    offset 0
) as parsed
cross join lateral (
    select
        nullif(lower(landed.wallet collate "C"), '') collate "default" as wallet,
        coalesce(
            {{ believable('parsed.event_at', 'versions.last_modified') }},
            {{ believable('parsed.order_at', 'versions.last_modified') }}
        ) as ts,
        {{ believable('parsed.order_at', 'versions.last_modified') }} as order_ts,
        coalesce(nullif(landed.asset, ''), 'unknown') as asset,
        coalesce(
            parsed.status,
            case when parsed.status_error is not null then 'error' end,
            'unknown'
        ) as status
    offset 0
) as keys
