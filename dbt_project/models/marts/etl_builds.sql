{{
    config(
        unique_key='build_id',
        full_refresh=false,
        meta={'indexes': {'idx_etl_builds_finished_at': '(finished_at)'}},
    )
}}

{#-
The last model: when it runs, all others of the build have been made and tested.
A full refresh keeps its rows, they are history.
-#}
-- depends_on: {{ ref('twap_latest') }}
-- depends_on: {{ ref('twap_withdrawn') }}
-- depends_on: {{ ref('twap_status_rejected') }}
-- depends_on: {{ ref('etl_s3_ingest_log') }}
-- depends_on: {{ ref('etl_runs') }}
-- depends_on: {{ ref('twap_coverage') }}
-- depends_on: {{ ref('twap_daily') }}
-- depends_on: {{ ref('twap_daily_largest') }}
-- depends_on: {{ ref('twap_digest') }}

{{ this_build(ref('int_loads'), 'clock_timestamp()') }}
