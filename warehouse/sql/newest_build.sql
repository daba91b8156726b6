with taken as (
    select unnest(load_ids) as load_id
    from marts.etl_builds
    where finished_at is not null
)

select
    builds.project_version,
    -- A complete load that tells something good and that no finished build has taken.
    exists(
        select
        from staging._dlt_loads as loads
        where
            loads.status = 0
            and not exists (
                select from taken
                where taken.load_id = loads.load_id
            )
            and exists (
                select from staging.s3_objects as objects
                where
                    objects._dlt_load_id = loads.load_id
                    and objects.outcome in ('landed', 'known')
            )
    ) as is_behind
from marts.etl_builds as builds
where builds.finished_at is not null
order by builds.finished_at desc
limit 1;
