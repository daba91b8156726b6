-- The marts as one would write them by hand for clean data: one encoding, no copy, no
-- correction, nothing to reject, nothing withdrawn.
create table bench.twap_status as
with events as (
    select
        landed.*,
        loads.inserted_at,
        '1970-01-01T00:00:00Z'::timestamptz
        + (landed."time"::bigint / 1000)::double precision * interval '1 microsecond'
            as ts,
        '1970-01-01T00:00:00Z'::timestamptz
        + (landed.state_timestamp::bigint / 1000)::double precision
        * interval '1 microsecond'
            as order_ts,
        case
            when landed.status in ('finished', 'terminated', 'error', 'stopped')
                then true
            when landed.status in ('activated', 'waitingForTrigger') then false
        end as is_terminal,
        jsonb_strip_nulls(
            to_jsonb(landed)
            - array['_s3_object_key', '_s3_etag', '_row_number', '_dlt_load_id']
        ) as raw_payload
    from staging.twap_statuses as landed
    inner join staging._dlt_loads as loads on landed._dlt_load_id = loads.load_id
)

select
    twap_id::text as twap_id,
    state_user::text as wallet,
    ts,
    order_ts,
    lead(ts) over (
        partition by twap_id, state_user
        order by
            ts,
            case is_terminal when false then 0 when true then 2 else 1 end,
            "state_executedSz"::numeric nulls first,
            status collate "C"
    ) as valid_to,
    state_coin::text as asset,
    state_side::text as side,
    status::text as status,
    status_error::text as status_error,
    state_sz::numeric as size_requested,
    "state_executedSz"::numeric as size_executed,
    "state_executedNtl"::numeric as notional_executed,
    marts.average_price("state_executedNtl"::numeric, "state_executedSz"::numeric)
        as average_price,
    state_minutes::integer as duration_minutes,
    is_terminal,
    "state_reduceOnly"::boolean as reduce_only,
    state_randomize::boolean as randomize,
    _s3_object_key::text as s3_object_key,
    _s3_etag::text as s3_etag,
    _row_number as row_number,
    1 as copies,
    raw_payload,
    inserted_at
from events
order by wallet, ts, twap_id;

alter table bench.twap_status add primary key (twap_id, wallet, ts, status);
create index on bench.twap_status (wallet, ts desc, twap_id collate "C" desc);
create index on bench.twap_status (twap_id);
create index on bench.twap_status (ts);
create index on bench.twap_status (wallet, ts)
where valid_to - ts > interval '8 days'
or (valid_to is null and is_terminal is not true);
analyze bench.twap_status;

create table bench.twap_latest as
with event_counts as (
    select
        twap_id,
        wallet,
        count(*)::integer as event_count
    from bench.twap_status
    group by twap_id, wallet
),

newest as (
    select max(ts) as ts
    from bench.twap_status
)

select
    events.twap_id,
    events.wallet,
    events.ts,
    events.order_ts,
    events.order_ts as started_at,
    case when events.is_terminal then events.ts end as ended_at,
    events.asset,
    events.side,
    events.status,
    events.status_error,
    events.size_requested,
    events.size_executed,
    events.notional_executed,
    events.average_price,
    events.duration_minutes,
    event_counts.event_count,
    events.is_terminal,
    coalesce(
        not events.is_terminal
        and events.order_ts + events.duration_minutes * interval '1 minute'
        + interval '1 hour'
        < newest.ts,
        false
    ) as is_overdue,
    events.reduce_only,
    events.randomize,
    events.s3_object_key,
    events.s3_etag,
    events.row_number,
    events.copies,
    events.inserted_at,
    events.inserted_at as updated_at
from bench.twap_status as events
inner join event_counts
    on events.twap_id = event_counts.twap_id and events.wallet = event_counts.wallet
cross join newest
where events.valid_to is null
order by events.wallet, events.ts, events.twap_id;

alter table bench.twap_latest add primary key (twap_id, wallet);
create index on bench.twap_latest (wallet, ts desc, twap_id collate "C" desc);
create index on bench.twap_latest (wallet, updated_at, twap_id collate "C");
create index on bench.twap_latest (ts) where is_terminal;
create index on bench.twap_latest (twap_id) where not is_terminal;
analyze bench.twap_latest;

create table bench.twap_coverage as
with counted as (
    select
        date_trunc('hour', ts, 'UTC') as hour,
        count(*)::integer as events,
        count(*) filter (where status = 'activated')::integer as activated,
        count(*) filter (where is_terminal)::integer as terminal,
        count(distinct s3_object_key)::integer as objects,
        min(ts) as first_event,
        max(ts) as last_event
    from bench.twap_status
    group by date_trunc('hour', ts, 'UTC')
),

all_hours as (
    select generate_series(min(hour), max(hour), interval '1 hour') as hour
    from counted
)

select
    all_hours.hour,
    coalesce(counted.events, 0) as events,
    coalesce(counted.activated, 0) as activated,
    coalesce(counted.terminal, 0) as terminal,
    coalesce(counted.objects, 0) as objects,
    counted.hour is null as is_empty,
    counted.first_event,
    counted.last_event
from all_hours
left join counted on all_hours.hour = counted.hour;

alter table bench.twap_coverage add primary key (hour);

create table bench.twap_daily as
select
    (ts at time zone 'UTC')::date as day,
    asset,
    side,
    status,
    count(*)::integer as twaps,
    sum(size_executed) as size_executed,
    sum(notional_executed) as notional_executed,
    count(distinct wallet)::integer as wallets
from bench.twap_latest
where is_terminal
group by (ts at time zone 'UTC')::date, asset, side, status;

alter table bench.twap_daily add primary key (day, asset, side, status);

create table bench.twap_daily_largest as
with ranked as (
    select
        (ts at time zone 'UTC')::date as day,
        row_number() over (
            partition by (ts at time zone 'UTC')::date
            order by
                notional_executed desc,
                twap_id collate "C" asc,
                wallet collate "C" asc
        )::integer as rank,
        twap_id,
        wallet,
        asset,
        side,
        status,
        size_executed,
        notional_executed,
        average_price,
        started_at,
        ended_at
    from bench.twap_latest
    where
        is_terminal
        and notional_executed > 0
)

select *
from ranked
where rank <= 10;

alter table bench.twap_daily_largest add primary key (day, rank);

create table bench.twap_digest as
select
    (ts at time zone 'UTC')::date as day,
    count(*)::integer as events,
    encode(
        sha256(
            convert_to(
                string_agg(
                    jsonb_build_array(
                        twap_id,
                        wallet,
                        (extract(epoch from ts) * 1000000)::bigint,
                        (extract(epoch from order_ts) * 1000000)::bigint,
                        asset,
                        side,
                        status,
                        status_error,
                        trim_scale(size_requested)::text,
                        trim_scale(size_executed)::text,
                        trim_scale(notional_executed)::text,
                        duration_minutes,
                        reduce_only,
                        randomize
                    )::text,
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
from bench.twap_status
group by (ts at time zone 'UTC')::date;

alter table bench.twap_digest add primary key (day);
