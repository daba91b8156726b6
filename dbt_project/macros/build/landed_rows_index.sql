{#-
The index that finds the landed rows of a TWAP. It is made here and not by the loader,
because what it holds is an interpretation; the loader drops it before a large load, and
the next build makes it again. Without the `analyze`, Postgres does not know how few rows
an id has, and reads the whole table instead.
-#}
{% macro index_landed_rows() -%}
    {%- set landed = source('staging', 'twap_statuses') -%}
    do $$
    begin
        if to_regclass('{{ landed.schema }}.twap_statuses_normalised_twap_id') is null then
            create index twap_statuses_normalised_twap_id
            on {{ landed }} (({{ normalised_twap_id('twap_id') }}));
            analyze {{ landed }};
        end if;
    end
    $$
{%- endmacro %}
