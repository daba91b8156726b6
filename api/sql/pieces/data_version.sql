-- What the marts hold: the newest finished build, and the newest listing, of the bucket or
-- of a part of it, that a run has made an end of.
select
    newest.build_id,
    newest.version,
    newest.completed_at,
    newest.project_version,
    -- Half-built marts, or those of a build that broke.
    exists(
        select from marts.etl_builds as unfinished
        where
            unfinished.finished_at is null
            and unfinished.started_at > newest.started_at
    ) as is_building,
    (
        select runs.run_id
        from marts.etl_runs as runs
        where
            runs.finished_at is not null
            and runs.listed_at is not null
        order by runs.finished_at desc
        limit 1
    ) as run_id
from marts.etl_builds as newest
where newest.finished_at is not null
order by newest.finished_at desc
limit 1
