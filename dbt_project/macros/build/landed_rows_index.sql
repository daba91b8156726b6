{#-
The indexes that find the landed rows of a TWAP and of an object. They are made here and
not by the loader: the one holds an interpretation, and only an increment needs them. The
loader drops them before a large load, and the next build makes them again. Without the
`analyze`, Postgres does not know how few rows an id has, and reads the whole table
instead.
-#}
{% macro index_landed_rows() -%}
    {%- set landed = source('staging', 'twap_statuses') -%}
    do $$
    begin
        if to_regclass('{{ landed.schema }}.twap_statuses_object') is null
            or to_regclass('{{ landed.schema }}.twap_statuses_twap_id') is null
        then
            create index if not exists twap_statuses_object on {{ landed }} (_s3_object_key);
            create index if not exists twap_statuses_twap_id
            on {{ landed }} (({{ normalised_twap_id('twap_id') }}));
            analyze {{ landed }}, {{ source('staging', 's3_objects') }};
        end if;
    end
    $$
{%- endmacro %}
