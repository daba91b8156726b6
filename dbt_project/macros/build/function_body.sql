{#-
Our functions are PL/pgSQL, which evaluates each step once; dbt knows only SQL functions
here, 20 times slower for average_price. All are null for a null and safe in parallel.
-#}
{% macro postgres__scalar_function_body_sql() %}
    $$
        {{ model.compiled_code }}
    $$
    language plpgsql strict parallel safe
{% endmacro %}
