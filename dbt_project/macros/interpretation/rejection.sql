{#-
Why a landed row cannot be an event, in words for a person; null where it can. For use in
int_landed_rows, whose steps it names.
-#}
{% macro rejection_reason() -%}
    nullif(
        concat_ws(
            '; ',
            {{ is_missing('twap_id', 'landed.normalised_twap_id') }},
            {{ is_missing('state_user', 'keys.wallet') }},
            case when keys.ts is null then 'neither time nor state_timestamp is a moment from 2023 to a day after the object was written' end,
            {{ is_no_number('state_sz', 'landed.size_requested', 'numbers.size_requested') }},
            {{ is_no_number('state_executedSz', 'landed.size_executed', 'numbers.size_executed') }},
            {{ is_no_number('state_executedNtl', 'landed.notional_executed', 'numbers.notional_executed') }},
            {{ is_no_duration() }},
            {{ is_too_long('twap_id', 'landed.normalised_twap_id') }},
            {{ is_too_long('state_user', 'keys.wallet') }},
            {{ is_too_long('state_coin', 'keys.asset') }},
            {{ is_too_long('status', 'keys.status') }}
        ),
        ''
    )
{%- endmacro %}

{% macro is_missing(column, value) -%}
    case when {{ value }} is null then '{{ column }} is missing' end
{%- endmacro %}

{% macro is_no_number(column, text, number) -%}
    case when nullif({{ text }}, '') is not null and {{ number }} is null then '{{ column }} is not a number' end
{%- endmacro %}

{% macro is_no_duration() -%}
    case when nullif(landed.duration_minutes, '') is not null and parsed.duration_minutes is null then 'state_minutes is not a whole number from 0 to 2147483647' end
{%- endmacro %}

{#- A key must fit its index, where three of these stand side by side in 2,704 bytes. -#}
{% macro is_too_long(column, value) -%}
    case when length({{ value }}) > 256 or octet_length({{ value }}) > 768 then '{{ column }} is longer than 256 characters' end
{%- endmacro %}
