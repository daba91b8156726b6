-- Not `if not exists`, which asks for the right to make schemas even where this one is.
do $$
begin
    if to_regnamespace('staging') is null then
        create schema staging;
    end if;
end
$$;
