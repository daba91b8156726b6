{{ config(severity='warn') }}

{#- A row here is an hour without any event, from the first touched hour on. -#}

select coverage.hour
from {{ ref('twap_coverage') }} as coverage
where
    coverage.is_empty
    {%- if not flags.FULL_REFRESH %}
    and coverage.hour >= (
        select min(touched.hour) from {{ ref('int_touched_hours') }} as touched
    )
    {%- endif %}
-- depends_on: {{ ref('int_touched_hours') }}
