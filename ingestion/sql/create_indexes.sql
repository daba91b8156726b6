create index if not exists twap_statuses_load on staging.twap_statuses (_dlt_load_id);
create index if not exists twap_statuses_object
on staging.twap_statuses (_s3_object_key);
create index if not exists s3_objects_object on staging.s3_objects (object_key);
create index if not exists s3_objects_load on staging.s3_objects (_dlt_load_id);
