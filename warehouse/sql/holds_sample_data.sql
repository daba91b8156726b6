select
    exists(
        select from staging.s3_objects
        where starts_with(object_key, %(prefix)s)
    ) as holds_sample_data;
