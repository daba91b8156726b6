-- A kill can land a row twice, so addresses are counted.
select
    (
        select count(distinct row(_s3_object_key, _s3_etag, _row_number))
        from staging.twap_statuses
        where _dlt_load_id = %(load_id)s
    ) as twap_statuses,
    (
        select count(distinct attempt)
        from staging.s3_objects
        where _dlt_load_id = %(load_id)s
    ) as s3_objects
