-- How many rows of the hand-written tables are not exactly those of the marts. No row
-- stands twice, since each table has a key. So where the marts have no row that is not
-- by hand too, and as many rows, they are the same.
with statuses as (
    (
        select
            twap_id,
            wallet,
            ts,
            order_ts,
            valid_to,
            asset,
            side,
            status,
            status_error,
            size_requested,
            size_executed,
            notional_executed,
            average_price,
            duration_minutes,
            is_terminal,
            reduce_only,
            randomize,
            s3_object_key,
            s3_etag,
            row_number,
            copies,
            raw_payload,
            inserted_at
        from marts.twap_status
    )
    except
    (select * from bench.twap_status)
),

latest as (
    (
        select
            twap_id,
            wallet,
            ts,
            order_ts,
            started_at,
            ended_at,
            asset,
            side,
            status,
            status_error,
            size_requested,
            size_executed,
            notional_executed,
            average_price,
            duration_minutes,
            event_count,
            is_terminal,
            is_overdue,
            reduce_only,
            randomize,
            s3_object_key,
            s3_etag,
            row_number,
            copies,
            inserted_at,
            updated_at
        from marts.twap_latest
    )
    except
    (select * from bench.twap_latest)
),

our_others as (
    select row(twap_coverage.*)::text as whole_row from marts.twap_coverage
    union all
    select row(twap_daily.*)::text as whole_row from marts.twap_daily
    union all
    select row(twap_daily_largest.*)::text as whole_row
    from marts.twap_daily_largest
    union all
    select row(twap_digest.*)::text as whole_row from marts.twap_digest
),

their_others as (
    select row(twap_coverage.*)::text as whole_row from bench.twap_coverage
    union all
    select row(twap_daily.*)::text as whole_row from bench.twap_daily
    union all
    select row(twap_daily_largest.*)::text as whole_row
    from bench.twap_daily_largest
    union all
    select row(twap_digest.*)::text as whole_row from bench.twap_digest
),

others as (
    (select * from our_others)
    except
    (select * from their_others)
)

select
    (select count(*) from statuses)
    + (select count(*) from latest)
    + (select count(*) from others)
    + abs(
        (select count(*) from marts.twap_status)
        - (select count(*) from bench.twap_status)
    )
    + abs(
        (select count(*) from marts.twap_latest)
        - (select count(*) from bench.twap_latest)
    )
    + abs((select count(*) from our_others) - (select count(*) from their_others))
        as differences
