{#-
The indexes that find the landed rows of a TWAP and of an object. They are made here and
not by the loader: the one holds an interpretation, and only an increment needs them. The
loader drops them before a large load, and the next build makes them again. Without the
`analyze`, Postgres does not know how few rows an id has, and reads the whole table
instead.

They belong to the owner of the rows. A builder that is another role becomes that owner
for as long as it takes; whose login may not is one that makes full builds alone.
-#}
{% macro index_landed_rows() -%}
    {%- set landed = source('staging', 'twap_statuses') -%}
    do $$
    declare
        builder constant text := current_setting('role');
        owner constant regrole := (
            select relowner from pg_class where oid = '{{ landed }}'::regclass
        );
    begin
        if
            to_regclass('{{ landed.schema }}.twap_statuses_object') is not null
            and to_regclass('{{ landed.schema }}.twap_statuses_twap') is not null
        then
            return;
        end if;
        if not pg_has_role(owner, 'USAGE') then
            if not pg_has_role(session_user, owner, 'SET') then
                return;
            end if;
            execute format('set local role %s', owner);
        end if;
        create index if not exists twap_statuses_object on {{ landed }} (_s3_object_key);
        -- That of release 0.1.0 was of another expression, and refused a long id.
        drop index if exists {{ landed.schema }}.twap_statuses_twap_id;
        create index if not exists twap_statuses_twap
        on {{ landed }} (({{ normalised_twap_id('twap_id') }}));
        analyze {{ landed }}, {{ source('staging', 's3_objects') }};
        execute format('set local role %I', builder);
    end
    $$
{%- endmacro %}
