-- What the staging schema holds from the first run on, whatever the bucket holds.
-- varchar is dlt's own type for text: the columns that it adds later are of it too.
create table if not exists staging.twap_statuses (
    twap_id varchar,
    "time" varchar,
    state_coin varchar,
    state_user varchar,
    state_side varchar,
    state_sz varchar,
    "state_executedSz" varchar,
    "state_executedNtl" varchar,
    state_minutes varchar,
    "state_reduceOnly" varchar,
    state_randomize varchar,
    state_timestamp varchar,
    status varchar,
    status_error varchar,
    _s3_object_key varchar,
    _s3_etag varchar,
    _row_number bigint,
    _dlt_load_id varchar not null
);

create table if not exists staging.s3_objects (
    object_key varchar not null,
    etag varchar not null,
    size_bytes bigint not null,
    last_modified timestamptz not null,
    outcome varchar not null,
    rows bigint,
    error varchar,
    attempt bigint not null,
    attempted_at timestamptz not null,
    _dlt_load_id varchar not null
);

create index if not exists s3_objects_object on staging.s3_objects (object_key);
create index if not exists s3_objects_load on staging.s3_objects (_dlt_load_id);

-- dlt's own table, which it would make with the first load.
create table if not exists staging._dlt_loads (
    load_id varchar not null,
    schema_name varchar,
    status bigint not null,
    inserted_at timestamptz not null,
    schema_version_hash varchar
);
