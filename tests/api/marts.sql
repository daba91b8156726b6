-- The marts as dbt makes them: what the tests of the API alone stand on.
create schema marts;

create table marts.twap_status (
    twap_id text not null,
    wallet text not null,
    ts timestamptz not null,
    order_ts timestamptz,
    valid_to timestamptz,
    asset text not null,
    side text not null,
    status text not null,
    status_error text,
    size_requested numeric,
    size_executed numeric,
    notional_executed numeric,
    average_price numeric,
    duration_minutes integer,
    is_terminal boolean,
    reduce_only boolean,
    randomize boolean,
    s3_object_key text not null,
    s3_etag text not null,
    row_number bigint not null,
    copies integer not null,
    raw_payload jsonb not null,
    inserted_at timestamptz not null,
    primary key (twap_id, wallet, ts, status)
);
create index idx_twap_status_wallet_ts
on marts.twap_status (wallet, ts desc, twap_id collate "C" desc);
create index idx_twap_status_twap_id on marts.twap_status (twap_id);
create index idx_twap_status_ts on marts.twap_status (ts);
create index idx_twap_status_lasting on marts.twap_status (wallet, ts)
where valid_to - ts > interval '8 days'
or (valid_to is null and is_terminal is not true);

create table marts.twap_latest (
    twap_id text not null,
    wallet text not null,
    ts timestamptz not null,
    order_ts timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    asset text not null,
    side text not null,
    status text not null,
    status_error text,
    size_requested numeric,
    size_executed numeric,
    notional_executed numeric,
    average_price numeric,
    duration_minutes integer,
    event_count integer not null,
    is_terminal boolean,
    reduce_only boolean,
    randomize boolean,
    s3_object_key text not null,
    s3_etag text not null,
    row_number bigint not null,
    copies integer not null,
    inserted_at timestamptz not null,
    updated_at timestamptz not null,
    revised_at timestamptz,
    is_overdue boolean not null default false,
    primary key (twap_id, wallet)
);
create index idx_twap_latest_wallet_updated_at
on marts.twap_latest (wallet, updated_at, twap_id collate "C");

create index idx_twap_latest_open on marts.twap_latest (twap_id)
where is_terminal = false;

create table marts.twap_daily (
    day date not null,
    asset text not null,
    side text not null,
    status text not null,
    twaps integer not null,
    size_executed numeric,
    notional_executed numeric,
    wallets integer not null,
    primary key (day, asset, side, status)
);

create table marts.twap_daily_largest (
    day date not null,
    rank integer not null,
    twap_id text not null,
    wallet text not null,
    asset text not null,
    side text not null,
    status text not null,
    size_executed numeric,
    notional_executed numeric not null,
    average_price numeric,
    started_at timestamptz,
    ended_at timestamptz,
    primary key (day, rank)
);

create table marts.twap_withdrawn (
    twap_id text not null,
    wallet text not null,
    updated_at timestamptz not null,
    primary key (twap_id, wallet)
);
create index idx_twap_withdrawn_wallet_updated_at
on marts.twap_withdrawn (wallet, updated_at, twap_id collate "C");

create table marts.etl_builds (
    build_id text primary key,
    version text,
    completed_at timestamptz,
    load_ids text [] not null,
    project_version text not null,
    started_at timestamptz not null,
    finished_at timestamptz
);
create index idx_etl_builds_finished_at on marts.etl_builds (finished_at);

-- A view over the ledger in the real marts.
create table marts.etl_s3_ingest_log (
    object_key text primary key,
    last_modified timestamptz,
    etag text,
    size_bytes bigint,
    rows_ingested bigint,
    error_text text,
    error_last_modified timestamptz,
    attempts integer not null,
    ingested_at timestamptz
);

create table marts.etl_runs (
    run_id text primary key,
    started_at timestamptz not null,
    listed_at timestamptz,
    finished_at timestamptz,
    mode text not null,
    exit_status integer,
    objects_not_fetched bigint,
    oldest_not_fetched timestamptz,
    objects_loaded bigint,
    rows_loaded bigint
);
create index idx_runs_finished_at on marts.etl_runs (finished_at);

create table marts.twap_coverage (
    hour timestamptz primary key,
    is_empty boolean not null,
    last_event timestamptz
);

create table marts.twap_status_rejected (
    s3_object_key text not null,
    s3_etag text not null,
    row_number bigint not null,
    reason text not null,
    raw_payload jsonb not null,
    primary key (s3_object_key, s3_etag, row_number)
);
