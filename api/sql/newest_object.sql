-- Which object came in last. To know, all that the ledger says is sorted.
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
    (select object_key from newest_object) as last_ingested_object,
    (select ingested_at from newest_object) as last_ingested_at
