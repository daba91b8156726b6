{#- The edges of twap_coverage, found by its key: the hours there are few without events. -#}
{% macro first_hour_with_events() -%}
    (select hour from {{ this }} where not is_empty order by hour asc limit 1)
{%- endmacro %}

{% macro last_hour_with_events() -%}
    (select hour from {{ this }} where not is_empty order by hour desc limit 1)
{%- endmacro %}

{#- Empty hours before the first event and after the last, where one was withdrawn. -#}
{% macro delete_hours_outside() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where
            is_empty
            and hour not between
            coalesce({{ first_hour_with_events() }}, 'infinity')
            and coalesce({{ last_hour_with_events() }}, '-infinity')
    {%- endif -%}
{%- endmacro %}
