-- Three roles that nobody can log in as: logins are made members of them. Each schema
-- gets its owner, with all that is in it, and what comes later is shown to its readers.
do $$
declare
    name text;
    owner text;
    command text;
begin
    foreach name in array array['twap_loader', 'twap_builder', 'twap_reader'] loop
        if not exists (select from pg_roles where rolname = name) then
            execute format('create role %I nologin', name);
        end if;
        -- Only who can become a role may give it something to own.
        if not pg_has_role(name, 'SET') then
            execute format('grant %I to %I with set true', name, current_user);
        end if;
        execute format('grant connect on database %I to %I', current_database(), name);
    end loop;

    -- The builder keeps this: an audit builds in schemas of its own. The loader needs it
    -- in order to be given a schema that is there already.
    execute format(
        'grant create on database %I to twap_builder, twap_loader', current_database()
    );
    for name, owner in
        values
        ('staging', 'twap_loader'),
        ('intermediate', 'twap_builder'),
        ('marts', 'twap_builder')
    loop
        if to_regnamespace(name) is null then
            execute format('create schema %I authorization %I', name, owner);
        else
            execute format('alter schema %I owner to %I', name, owner);
        end if;
        for command in
            select format('alter table %s owner to %I', pg_class.oid::regclass, owner)
            from pg_class
            where
                relnamespace = name::regnamespace
                and relkind in ('r', 'p', 'v', 'm', 'f')
                and relowner <> owner::regrole
            union all
            select format('alter routine %s owner to %I', pg_proc.oid::regprocedure, owner)
            from pg_proc
            where pronamespace = name::regnamespace and proowner <> owner::regrole
        loop
            execute command;
        end loop;
    end loop;
    execute format('revoke create on database %I from twap_loader', current_database());

    grant usage on schema staging to twap_builder;
    grant select on all tables in schema staging to twap_builder;
    alter default privileges for role twap_loader in schema staging
    grant select on tables to twap_builder;

    grant usage on schema marts to twap_reader;
    grant select on all tables in schema marts to twap_reader;
    alter default privileges for role twap_builder in schema marts
    grant select on tables to twap_reader;
end
$$;
