create table if not exists staging.runs (
    run_id text primary key,
    started_at timestamptz not null,
    listed_at timestamptz,
    finished_at timestamptz,
    mode text not null,
    exit_status integer,
    objects_listed bigint,
    objects_new bigint,
    objects_loaded bigint,
    objects_failed bigint,
    objects_not_fetched bigint,
    oldest_not_fetched timestamptz,
    bytes_loaded bigint,
    rows_loaded bigint
);

-- The newest run is asked for with each answer of the API.
create index if not exists idx_runs_finished_at on staging.runs (finished_at);
