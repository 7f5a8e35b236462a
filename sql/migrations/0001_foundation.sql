-- 0001_foundation.sql - schemas, roles, and what Supabase would have brought.
--
-- Works as an ordinary role with CREATEROLE; nothing here needs superuser.  What is there already (a Supabase project) is left as it is.

create schema if not exists api;
comment on schema api is 'What the programs may call: one function for each operation.  Applied whole at each deploy.';
create schema if not exists parts;
comment on schema parts is 'Partitions.  Nobody is granted anything here; access goes through the parent tables.';

do $$
declare
    r text;
begin
    foreach r in array array['anon', 'authenticated', 'service_role',
                             'hookswitch_api', 'hookswitch_webhook', 'hookswitch_pump', 'hookswitch_operator'] loop
        if not exists (select from pg_roles where rolname = r) then
            execute format('create role %I nologin', r);
        end if;
    end loop;
    foreach r in array array['hookswitch_api', 'hookswitch_webhook', 'hookswitch_pump', 'hookswitch_operator'] loop
        -- Where somebody else made the roles, being a member is enough.
        if not pg_has_role(current_user, r, 'usage') then
            execute format('grant %I to current_user', r);
        end if;
    end loop;
end
$$;

-- New objects are nobody's until they are granted (Supabase grants them to anon and authenticated by default).
alter default privileges in schema public revoke all on tables from public, anon, authenticated;
alter default privileges in schema public revoke all on sequences from public, anon, authenticated;
alter default privileges revoke execute on functions from public;
alter default privileges in schema public revoke all on functions from public, anon, authenticated;
alter default privileges in schema api revoke all on functions from public, anon, authenticated;

revoke all on schema parts from public;
grant usage on schema public to anon, authenticated, service_role, hookswitch_api, hookswitch_webhook, hookswitch_pump, hookswitch_operator;
grant usage on schema api to hookswitch_api, hookswitch_pump, hookswitch_operator;

do $$
begin
    if to_regnamespace('auth') is null then
        create schema auth;
        comment on schema auth is 'Stands where Supabase Auth would be: the same names, so that both kinds of installation read alike.';
        create table auth.users (
            id uuid constraint users_pkey primary key default gen_random_uuid(),
            email text,
            raw_app_meta_data jsonb not null default '{}',
            raw_user_meta_data jsonb not null default '{}',
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now()
        );
        comment on table auth.users is 'People who can sign in.';
        create unique index users_email_key on auth.users (lower(email)) where email is not null;
        alter table auth.users enable row level security;
        alter table auth.users force row level security;
        create policy users_pump on auth.users to hookswitch_pump using (true) with check (true);
        grant select, insert, update on auth.users to hookswitch_pump;

        create function auth.jwt() returns jsonb language sql stable
            as $f$ select coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb $f$;
        create function auth.uid() returns uuid language sql stable
            as $f$ select nullif(auth.jwt() ->> 'sub', '')::uuid $f$;
        create function auth.role() returns text language sql stable
            as $f$ select auth.jwt() ->> 'role' $f$;
        grant execute on function auth.jwt(), auth.uid(), auth.role() to public;
        grant usage on schema auth to anon, authenticated, service_role, hookswitch_api, hookswitch_webhook, hookswitch_pump, hookswitch_operator;
    else
        -- Supabase's own: readable helpers only; our pump needs to see whether a person exists.
        begin
            grant usage on schema auth to hookswitch_api, hookswitch_pump, hookswitch_operator;
            grant select on auth.users to hookswitch_pump;
        exception when insufficient_privilege then
            raise notice 'schema auth belongs to somebody else and could not be granted; people are then known by their tokens alone';
        end;
    end if;
end
$$;

-- Declared here so that policies, defaults and triggers can name them; their bodies are in sql/functions.
create function public.current_user_id() returns uuid language plpgsql stable as 'begin return null; end';
create function public.current_organization_id() returns uuid language plpgsql stable as 'begin return null; end';
create function public.check_state_move() returns trigger language plpgsql as 'begin return new; end';
create function public.touch_updated_at() returns trigger language plpgsql as 'begin return new; end';
create function public.call_queue_fill() returns trigger language plpgsql as 'begin return new; end';
create function public.provider_keep() returns trigger language plpgsql as 'begin return old; end';
create function public.provider_fill() returns trigger language plpgsql as 'begin return new; end';
create function public.template_targets_fill() returns trigger language plpgsql as 'begin return new; end';
create function public.template_routes_refresh() returns trigger language plpgsql as 'begin return null; end';

create table public.state_moves (
    machine text not null,
    from_state text not null,
    to_state text not null,
    constraint state_moves_pkey primary key (machine, from_state, to_state)
);
comment on table public.state_moves is 'The allowed moves of every state machine; check_state_move() holds them.';

insert into public.state_moves (machine, from_state, to_state) values
    ('call_queue', 'queued', 'in-progress'),
    ('call_queue', 'queued', 'canceled'),
    ('call_queue', 'queued', 'expired'),
    ('call_queue', 'queued', 'failed'),
    ('call_queue', 'in-progress', 'queued'),
    ('call_queue', 'in-progress', 'completed'),
    ('call_queue', 'in-progress', 'failed'),
    ('call_queue', 'in-progress', 'canceled'),
    ('call_queue', 'in-progress', 'expired'),
    ('calls', 'queued', 'in-progress'),
    ('calls', 'queued', 'completed'),
    ('calls', 'queued', 'failed'),
    ('calls', 'queued', 'canceled'),
    ('calls', 'queued', 'expired'),
    ('calls', 'in-progress', 'queued'),
    ('calls', 'in-progress', 'completed'),
    ('calls', 'in-progress', 'failed'),
    ('calls', 'in-progress', 'canceled'),
    ('calls', 'in-progress', 'expired'),
    ('call_assignments', 'leased', 'sent'),
    ('call_assignments', 'leased', 'absent'),
    ('call_assignments', 'leased', 'refused'),
    ('call_assignments', 'sent', 'accepted'),
    ('call_assignments', 'sent', 'refused'),
    ('call_assignments', 'sent', 'unknown'),
    -- Accepted and over already when we first hear of it.
    ('call_assignments', 'sent', 'ended'),
    ('call_assignments', 'unknown', 'accepted'),
    ('call_assignments', 'unknown', 'refused'),
    ('call_assignments', 'unknown', 'absent'),
    ('call_assignments', 'unknown', 'ended'),
    ('call_assignments', 'accepted', 'ended'),
    -- The provider speaks of a call that we had given up before anybody else was asked to make it.
    ('call_assignments', 'absent', 'accepted'),
    ('call_assignments', 'refused', 'accepted');
