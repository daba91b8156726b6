insert into staging.runs (run_id, started_at, mode)
values (%(run_id)s, clock_timestamp(), %(mode)s);
