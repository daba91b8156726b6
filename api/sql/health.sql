-- Whether a build has finished, and what came in last.
with newest_object as (
    select
        object_key,
        ingested_at
    from marts.etl_s3_ingest_log
    where ingested_at is not null
    order by ingested_at desc, object_key collate "C" desc
    limit 1
)

select
    exists(
        select from marts.etl_builds
        where finished_at is not null
    ) as is_built,
    (select object_key from newest_object) as last_ingested_object,
    (select ingested_at from newest_object) as last_ingested_at
