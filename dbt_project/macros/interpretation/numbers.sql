{#- A decimal number as it may be published, at most 40 powers of ten either way. -#}
{% macro number_pattern() -%}
    '^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?(0?[0-3]?[0-9]|0?40))?\s*$'
{%- endmacro %}

{#- What the pattern's \s stands for, to be trimmed before a cast. -#}
{% macro white_space() -%}
    e' \t\n\v\f\r'
{%- endmacro %}

{#-
The text as numeric, exactly; null where it is no number or longer than 64 characters.
A pattern decides what is a number, since Postgres's own reading (`NaN`, `1_000`, `0x1F`)
differs by version. By `text`, so that the index on a varchar is of the same expression.
-#}
{% macro number(text) -%}
    case
        when octet_length({{ text }}) > 64 then null
        -- Nearly all numbers, at a third of the cost of the next branch.
        when {{ text }} ~ '^[0-9]+\.?[0-9]*$' collate "C" then {{ text }}::text::numeric
        when {{ text }} ~ {{ number_pattern() }} collate "C"
            then btrim({{ text }}, {{ white_space() }})::numeric
    end
{%- endmacro %}

{#-
The identity of a TWAP: a whole number in any form (`7`, `7.0`, `7e0`) is written as the
integer, since a file that stores ids as floats must not make other TWAPs of them; any
other text stays as it is; empty is null. Of a text that is too long for an id there is as
much as rejects its row, and no more, since an index of the landed rows is made of it: so it
is immutable, raises on no text, and is never longer than a key of an index may be.
-#}
{% macro normalised_twap_id(text) -%}
    case
        -- Nearly all ids, at a fraction of the cost of the next branch. A pattern that
        -- counts digits would cost four times as much.
        when octet_length({{ text }}) <= 18 and {{ text }} ~ '^[1-9][0-9]*$' collate "C"
            then {{ text }}
        when {{ number(text) }} = trunc({{ number(text) }})
            then trunc({{ number(text) }})::text
        else nullif(left({{ text }}, 257), '')
    end
{%- endmacro %}

{#- The number as minutes: whole, 0 to 2^31-1; else null. `30.0` is 30. -#}
{% macro duration_minutes(number) -%}
    case
        when {{ number }} = trunc({{ number }}) and {{ number }} between 0 and 2147483647
            then ({{ number }})::integer
    end
{%- endmacro %}

{#- The text as a boolean: true/false/t/f/1/0 in any case; all else is null. -#}
{% macro boolean_of(text) -%}
    case
        when lower({{ text }} collate "C") in ('true', 't', '1') then true
        when lower({{ text }} collate "C") in ('false', 'f', '0') then false
    end
{%- endmacro %}

{#- A power of ten, exactly, also where the exponent is negative. -#}
{% macro power_of_ten(exponent) -%}
    ('1e' || ({{ exponent }}))::numeric
{%- endmacro %}
