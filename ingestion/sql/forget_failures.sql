-- Of the failed attempts at an object, keep the newest ones.
delete from staging.s3_objects as objects
using (
    select
        ctid,
        row_number() over (
            partition by object_key
            order by _dlt_load_id collate "C" desc, attempt desc
        ) as place
    from staging.s3_objects
    where outcome = 'failed'
) as failures
where
    objects.ctid = failures.ctid
    and failures.place > %(kept)s
