{#-
True where the TWAP of this row should have ended more than an hour before the newest
event that we know: by the data's own clock, never by ours.
-#}
{% macro is_overdue(row) -%}
    coalesce(
        {{ row }}.is_terminal = false
        and {{ row }}.order_ts + {{ row }}.duration_minutes * interval '1 minute'
        + interval '1 hour'
        < (
            select coverage.last_event
            from {{ ref('twap_coverage') }} as coverage
            where coverage.last_event is not null
            order by coverage.hour desc
            limit 1
        ),
        false
    )
{%- endmacro %}

{#- TWAPs that no load touched become overdue too, when newer events come. -#}
{% macro update_overdue() -%}
    update {{ this }} as latest
    set is_overdue = not latest.is_overdue
    where
        latest.is_terminal = false
        and latest.is_overdue <> {{ is_overdue('latest') }}
{%- endmacro %}
