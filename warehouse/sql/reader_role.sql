-- The role that the API reads as. Default privileges give it each table that a build
-- makes, in the moment of its making.
do $$
begin
    -- `make roles` has seen to it.
    if exists (
        select from pg_namespace
        where nspname = 'marts' and nspowner = to_regrole('twap_builder')
    ) then
        return;
    end if;
    if not exists (select from pg_roles where rolname = 'twap_reader') then
        create role twap_reader nologin;
    end if;
    if not pg_has_role(current_user, 'twap_reader', 'SET') then
        execute format('grant twap_reader to %I with set true', current_user);
    end if;
    grant usage on schema marts to twap_reader;
    grant select on all tables in schema marts to twap_reader;
    alter default privileges in schema marts grant select on tables to twap_reader;
end
$$;
