-- How many rows of the hand-written tables are not exactly those of the marts.
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
)

select
    (select count(*) from statuses)
    + (select count(*) from latest)
    + abs(
        (select count(*) from marts.twap_status)
        - (select count(*) from bench.twap_status)
    ) as differences
