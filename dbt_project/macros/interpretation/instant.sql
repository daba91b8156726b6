{#-
A moment in time, truncated to microseconds; null where the text is none.

`text` is the column as landed, `number` the same by the macro `number`.

- A whole number in any form (`1764867622417`, `1.764867622417e+12`, as Arrow prints a
  float): its magnitude gives the unit, since nothing on Hyperliquid is older than 2023.
  Milliseconds that were stored in a nanosecond column land as an integer of millisecond
  magnitude, so they come out right.
- ISO 8601; without a zone it is UTC.
-#}
{% macro instant(text, number) -%}
    case
        when {{ number }} = trunc({{ number }}) then {{ instant_of_number(number) }}
        when {{ text }} ~ {{ iso_8601_pattern() }} collate "C"
            then {{ instant_of_iso_8601(text) }}
    end
{%- endmacro %}

{% macro instant_of_number(number) -%}
    {%- set microseconds -%}
        case
            when {{ number }} >= 1e17 then div({{ number }}, 1000)
            when {{ number }} >= 1e14 then {{ number }}
            when {{ number }} >= 1e11 then {{ number }} * 1000
            else {{ number }} * 1000000
        end
    {%- endset -%}
    case
        -- Nanoseconds, as nearly all are: integers are quicker.
        when {{ number }} between 1e17 and 9e18
            then
                '1970-01-01T00:00:00Z'::timestamptz
                + (({{ number }})::bigint / 1000)::double precision
                * interval '1 microsecond'
        -- 1970 to 2255, where a double holds every microsecond exactly.
        when {{ microseconds }} between 0 and 9e15
            then
                '1970-01-01T00:00:00Z'::timestamptz
                + ({{ microseconds }})::double precision * interval '1 microsecond'
    end
{%- endmacro %}

{#- Date, optional time, optional fraction, optional zone, as RFC 3339 and ISO 8601 do. -#}
{% macro iso_8601_pattern() -%}
    {%- set date = '[0-9]{4}-[0-9]{2}-[0-9]{2}' -%}
    {%- set time = '([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]+)?)?' -%}
    {%- set zone = '([Zz]|[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?)' -%}
    '^\s*{{ date }}([Tt ]{{ time }}\s*{{ zone }}?)?\s*$'
{%- endmacro %}

{#-
A text that the pattern knows. Postgres may read it now: `now`, `infinity` and 01/02/2025
do not come this far, digits beyond the microsecond, which it would round, are cut, and a
zone is there. What is left to it is whether the day exists.
-#}
{% macro instant_of_iso_8601(text) -%}
    {%- set zoned -%}
        (
            regexp_replace(
                translate(btrim({{ text }}, {{ white_space() }}), ',tz', '.TZ'),
                '(\.[0-9]{6})[0-9]+', '\1'
            )
            || case when {{ text }} ~ ':.*([Zz]|[+-][0-9:]+)\s*$' collate "C" then '' else 'Z' end
        )
    {%- endset -%}
    case when pg_input_is_valid({{ zoned }}, 'timestamptz') then {{ zoned }}::timestamptz end
{%- endmacro %}

{#-
The instant where it can be one: nothing on Hyperliquid is older than 2023, and no object
knows what happens more than a day after it was written. Else null.
-#}
{% macro believable(instant, last_modified) -%}
    case
        when
            {{ instant }} >= '2023-01-01T00:00:00Z'::timestamptz
            and {{ instant }} <= {{ last_modified }} + interval '24 hours'
            then {{ instant }}
    end
{%- endmacro %}

{#- A moment as whole microseconds since 1970, exactly. -#}
{% macro microseconds(instant) -%}
    (extract(epoch from {{ instant }}) * 1000000)::bigint
{%- endmacro %}
