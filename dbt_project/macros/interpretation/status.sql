{#-
How an error is published, in each form that was seen. `json` is the status as a JSON
object, null where it is none.

| status | status_error | becomes | with the error |
|---|---|---|---|
| `{"error": "msg"}` | | error | msg |
| `{"status": "error", "description": "msg"}` | | error | msg |
| `error: msg` | | error | msg |
| `error`, or empty or null | msg | error | msg |
| empty or null | empty or null | unknown | |
| anything else, other objects too | | as published | status_error as published |
-#}
{% macro status_as_json(status) -%}
    {#- jsonb cannot hold a NUL: it becomes the replacement character. -#}
    {%- set json -%}
        regexp_replace({{ status }}, '(?<!\\)((\\\\)*)\\u0000', '\1\\ufffd', 'g')
    {%- endset -%}
    case
        when
            {{ status }} ~ '^\s*\{'
            -- Nested too deeply for its stack, it would stop Postgres.
            and regexp_count({{ status }}, '[[{]') < 1000
            and pg_input_is_valid({{ json }}, 'jsonb')
            then {{ json }}::jsonb
    end
{%- endmacro %}

{#- The word of the status; null where none was published. -#}
{% macro published_status(status, json) -%}
    case
        when {{ json }} ->> 'error' is not null then 'error'
        when {{ json }} ?| array['error', 'status'] then nullif({{ json }} ->> 'status', '')
        when {{ status }} like 'error:%' then 'error'
        else nullif({{ status }}, '')
    end
{%- endmacro %}

{#- The message of the error; null where there is none. -#}
{% macro published_error(status, json, status_error) -%}
    coalesce(
        nullif({{ json }} ->> 'error', ''),
        case
            when {{ json }} ->> 'status' = 'error'
                then nullif({{ json }} ->> 'description', '')
        end,
        case
            when {{ status }} like 'error:%'
                then nullif(btrim(substr({{ status }}, 7), {{ white_space() }}), '')
        end,
        nullif({{ status_error }}, '')
    )
{%- endmacro %}

{#- True for a terminal status, false for an open one, null for one that nobody knows. -#}
{% macro is_terminal(status) -%}
    case
        when {{ status }} in (
            'finished', 'terminated', 'error', 'stopped',
            -- Other publishers' words.
            'completed', 'canceled', 'cancelled'
        ) then true
        when {{ status }} in (
            'activated', 'waitingForTrigger',
            -- Other publishers' words.
            'executing', 'running'
        ) then false
    end
{%- endmacro %}

{#-
The order of a TWAP's events. At the same moment an open one comes before an unknown, and
that before a terminal; then the smaller executed size, and the status by its bytes.
-#}
{% macro order_of_events() -%}
    ts,
    case is_terminal when false then 0 when true then 2 else 1 end,
    size_executed nulls first,
    status collate "C"
{%- endmacro %}
