select
    exists(
        select from staging.s3_objects
        where starts_with(object_key, %(sample_prefix)s)
    ) as holds_sample_data,
    exists(
        select from staging.s3_objects
        where not starts_with(object_key, %(sample_prefix)s)
    ) as holds_other_data;
