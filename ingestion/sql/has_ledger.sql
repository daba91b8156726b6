select
    to_regclass('staging.s3_objects') is not null
    and to_regclass('staging._dlt_loads') is not null as has_ledger
