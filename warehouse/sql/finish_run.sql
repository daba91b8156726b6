update staging.runs
set
    listed_at = %(listed_at)s,
    finished_at = clock_timestamp(),
    exit_status = %(exit_status)s,
    objects_listed = %(objects_listed)s,
    objects_new = %(objects_new)s,
    objects_loaded = %(objects_loaded)s,
    objects_failed = %(objects_failed)s,
    objects_not_fetched = %(objects_not_fetched)s,
    oldest_not_fetched = %(oldest_not_fetched)s,
    bytes_loaded = %(bytes_loaded)s,
    rows_loaded = %(rows_loaded)s
where run_id = %(run_id)s;
