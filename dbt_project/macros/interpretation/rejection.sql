{#-
Why a landed row cannot be an event, in words for a person; null where it can. `column` is
the source's name, as the person finds it in raw_payload.
-#}
{% macro why_missing(column, value) -%}
    case when {{ value }} is null then '{{ column }} is missing' end
{%- endmacro %}

{% macro why_no_moment(value) -%}
    case
        when {{ value }} is null
            then
                'neither time nor state_timestamp is a moment from 2023 to a day '
                || 'after the object was written'
    end
{%- endmacro %}

{% macro why_no_number(column, text, number) -%}
    case
        when {{ number }} is null and {{ text }} <> '' then '{{ column }} is not a number'
    end
{%- endmacro %}

{% macro why_no_duration(text, minutes) -%}
    case
        when {{ minutes }} is null and {{ text }} <> ''
            then 'state_minutes is not a whole number from 0 to 2147483647'
    end
{%- endmacro %}

{#- A key must fit its index, where three of these stand side by side in 2,704 bytes. -#}
{% macro why_too_long(column, value) -%}
    case
        when length({{ value }}) > 256 or octet_length({{ value }}) > 768
            then '{{ column }} is longer than 256 characters'
    end
{%- endmacro %}
