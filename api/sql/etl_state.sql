-- What the ETL does now, and the version of the figures that etl_figures would read.
with newest_build as (
    select
        build_id,
        started_at
    from marts.etl_builds
    where finished_at is not null
    order by finished_at desc
    limit 1
),

newest_run as (
    select run_id
    from marts.etl_runs
    where finished_at is not null
    order by finished_at desc
    limit 1
)

select
    (select build_id from newest_build) as build_id,
    (select run_id from newest_run) as run_id,
    exists(
        select from marts.etl_builds as unfinished
        where
            unfinished.finished_at is null
            and unfinished.started_at
            > (select newest_build.started_at from newest_build)
    ) as is_building
