{#-
A step that begins with {% raw %}`{{ evaluated_once() }}`{% endraw %} is evaluated once a row: without that,
Postgres would copy the expressions of the step into each place of the next one that
names them.
-#}

-- Read twice in an increment, and yet filtered before anything else.
with landed_rows as not materialized (
    select
        {{ normalised_twap_id('twap_id') }} as normalised_twap_id,
        *
    from {{ ref('stg_twap_statuses') }}
),

rows_in_scope as (
    {%- if var('twap', none) is not none %}
    -- What `make evidence` asks for.
    select * from landed_rows
    where normalised_twap_id = {{ text_literal(var('twap')) }}
    {%- elif is_full_build() %}
    select * from landed_rows
    {%- else %}
    select * from landed_rows
    where
        normalised_twap_id in (
            select touched.twap_id from {{ ref('int_touched_twaps') }} as touched
        )

    union all

    select * from landed_rows
    where
        normalised_twap_id is null
        and s3_object_key in (
            select touched.s3_object_key
            from {{ ref('int_touched_objects') }} as touched
        )
    {%- endif %}
),

visible_rows as (
    select
        landed.*,
        loads.completed_at as landed_at,
        versions.last_modified,
        versions.is_shown,
        versions.touched_at,
        versions.revised_at
    from rows_in_scope as landed
    inner join {{ ref('int_loads') }} as loads on landed.load_id = loads.load_id
    inner join {{ ref('int_object_versions') }} as versions
        on
            landed.s3_object_key = versions.s3_object_key
            and landed.s3_etag = versions.s3_etag
),

read as (
    {{ evaluated_once() }}
    select
        *,
        {{ number('size_requested') }} as requested,
        {{ number('size_executed') }} as executed,
        {{ number('notional_executed') }} as notional,
        {{ number('duration_minutes') }} as minutes,
        {{ number('event_time') }} as event_number,
        {{ number('order_time') }} as order_number,
        {{ status_as_json('status') }} as status_json
    from visible_rows
),

understood as (
    {{ evaluated_once() }}
    select
        *,
        {{ instant('event_time', 'event_number') }} as event_at,
        {{ instant('order_time', 'order_number') }} as order_at,
        {{ duration_minutes('minutes') }} as whole_minutes,
        {{ published_status('status', 'status_json') }} as status_word,
        {{ published_error('status', 'status_json', 'status_error') }} as error_message
    from read
),

interpreted as (
    {{ evaluated_once() }}
    select
        *,
        nullif(lower(wallet collate "C"), '') collate "default" as wallet_key,
        coalesce(
            {{ believable('event_at', 'last_modified') }},
            {{ believable('order_at', 'last_modified') }}
        ) as ts,
        {{ believable('order_at', 'last_modified') }} as order_ts,
        coalesce(nullif(asset, ''), 'unknown') as asset_name,
        coalesce(nullif(side, ''), 'unknown') as side_name,
        coalesce(
            status_word,
            case when error_message is not null then 'error' end,
            'unknown'
        ) as final_status
    from understood
)

select
    normalised_twap_id as twap_id,
    wallet_key as wallet,
    ts,
    order_ts,
    asset_name as asset,
    side_name as side,
    requested as size_requested,
    executed as size_executed,
    notional as notional_executed,
    final_status as status,
    error_message as status_error,
    {{ is_terminal('final_status') }} as is_terminal,
    whole_minutes as duration_minutes,
    {{ boolean_of('reduce_only') }} as reduce_only,
    {{ boolean_of('randomize') }} as randomize,
    s3_object_key,
    s3_etag,
    row_number,
    raw_payload,
    last_modified,
    is_shown,
    touched_at,
    revised_at,
    landed_at,
    event_at,
    order_at,
    nullif(
        concat_ws(
            '; ',
            {{ why_missing('twap_id', 'normalised_twap_id') }},
            {{ why_missing('state_user', 'wallet_key') }},
            {{ why_no_moment('ts') }},
            {{ why_no_number('state_sz', 'size_requested', 'requested') }},
            {{ why_no_number('state_executedSz', 'size_executed', 'executed') }},
            {{ why_no_number('state_executedNtl', 'notional_executed', 'notional') }},
            {{ why_no_duration('duration_minutes', 'whole_minutes') }},
            {{ why_too_long('twap_id', 'normalised_twap_id') }},
            {{ why_too_long('state_user', 'wallet_key') }},
            {{ why_too_long('state_coin', 'asset_name') }},
            {{ why_too_long('state_side', 'side_name') }},
            {{ why_too_long('status', 'final_status') }}
        ),
        ''
    ) as reason
from interpreted
