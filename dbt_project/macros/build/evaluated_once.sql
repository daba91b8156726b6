{#-
Keeps Postgres from pulling a step up into the next one, which would copy its expressions
(six times the time). A step that has a `with` of its own stays as it is, and several
processes may work at it; `offset 0` would do the first, but not the second.
-#}
{% macro evaluated_once() -%}
    with nothing_else as (select)
{%- endmacro %}
