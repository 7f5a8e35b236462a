-- 0011_auth.sql - how our own people prove who they are: passwords, sessions, one-time tokens, second factors.
--
-- Schema hookswitch_auth is read and written by functions of hookswitch_pump only.  Where schema auth belongs to somebody else
-- (a Supabase project) all of this stays empty: public.auth_is_ours().

create schema hookswitch_auth;
comment on schema hookswitch_auth is 'Credentials of people who signed up here.  Reached by functions of hookswitch_pump only.';
revoke all on schema hookswitch_auth from public;
grant usage on schema hookswitch_auth to hookswitch_pump;

-- What Supabase Auth keeps in auth.users, under its names; only where that table is ours.
do $$
begin
    if (select nspowner from pg_namespace where nspname = 'auth') is distinct from (select nspowner from pg_namespace where nspname = 'api') then
        return;
    end if;
    alter table auth.users
        add column aud text not null default 'authenticated',
        add column role text not null default 'authenticated',
        add column email_confirmed_at timestamptz,
        add column invited_at timestamptz,
        add column confirmation_sent_at timestamptz,
        add column recovery_sent_at timestamptz,
        add column email_change text,
        add column email_change_sent_at timestamptz,
        add column last_sign_in_at timestamptz,
        add column phone text,
        add column phone_confirmed_at timestamptz,
        add column banned_until timestamptz,
        add column is_anonymous boolean not null default false;
    comment on column auth.users.email_change is 'The address that was asked for and is not confirmed yet.';
    grant delete on auth.users to hookswitch_pump;
end
$$;

create table hookswitch_auth.credentials (
    user_id uuid constraint credentials_pkey primary key,
    password_hash text not null,
    changed_at timestamptz not null default now()
);
comment on table hookswitch_auth.credentials is 'The hash of a person''s password, as crypt(5) writes it.';

create table hookswitch_auth.sessions (
    id uuid constraint sessions_pkey primary key default gen_random_uuid(),
    user_id uuid not null,
    aal text not null default 'aal1' constraint sessions_aal_check check (aal in ('aal1', 'aal2')),
    amr jsonb not null default '[]' constraint sessions_amr_check check (jsonb_typeof(amr) = 'array'),
    user_agent text,
    address text,
    created_at timestamptz not null default now(),
    refreshed_at timestamptz not null default now(),
    expires_at timestamptz not null,
    revoked_at timestamptz,
    revoked_because text constraint sessions_revoked_because_check
        check (revoked_because in ('signout', 'revoked', 'reuse', 'password', 'email', 'factor', 'admin'))
);
comment on table hookswitch_auth.sessions is 'One sign-in and all tokens that came of it.';
comment on column hookswitch_auth.sessions.amr is 'How the person proved who he is: [{"method":"password","timestamp":...}].';
create index sessions_user_idx on hookswitch_auth.sessions (user_id, created_at);
create index sessions_expires_idx on hookswitch_auth.sessions (expires_at);

create table hookswitch_auth.refresh_tokens (
    hash text constraint refresh_tokens_pkey primary key constraint refresh_tokens_hash_check check (hash ~ '^[0-9a-f]{64}$'),
    session_id uuid not null constraint refresh_tokens_session_fkey references hookswitch_auth.sessions on delete cascade,
    parent text,
    created_at timestamptz not null default now(),
    used_at timestamptz,
    successor text
);
comment on table hookswitch_auth.refresh_tokens is 'SHA-256 of each refresh token; a session is a family with one that is not used.';
comment on column hookswitch_auth.refresh_tokens.successor is
    'Sealed: the token that came next, for a second tab that asks with the same one at nearly the same time.  Forgotten at the next refresh.';
create unique index refresh_tokens_live_key on hookswitch_auth.refresh_tokens (session_id) where used_at is null;
create index refresh_tokens_session_idx on hookswitch_auth.refresh_tokens (session_id);

create table hookswitch_auth.one_time_tokens (
    id uuid constraint one_time_tokens_pkey primary key default gen_random_uuid(),
    kind text not null constraint one_time_tokens_kind_check
        check (kind in ('signup', 'recovery', 'email_change', 'magiclink', 'invite', 'totp', 'pkce')),
    user_id uuid,
    expires_at timestamptz not null,
    used_at timestamptz,
    attempts integer not null default 0,
    new_email text,
    redirect_to text,
    code_challenge text,
    code_challenge_method text constraint one_time_tokens_method_check check (code_challenge_method in ('plain', 's256')),
    password_hash text,
    data jsonb not null default '{}' constraint one_time_tokens_data_check check (jsonb_typeof(data) = 'object'),
    created_at timestamptz not null default now()
);
comment on table hookswitch_auth.one_time_tokens is
    'What a mailed link or code, or a half-done sign-in, is worth.  The token itself is made from the id with our key (lib/seal) and kept nowhere.';
comment on column hookswitch_auth.one_time_tokens.user_id is 'Null: asked for an address that nobody has; it is worth nothing.';
comment on column hookswitch_auth.one_time_tokens.password_hash is
    'Sign-up: the password becomes the account''s when this very token comes back, so that nobody can choose it for another''s address.';
create index one_time_tokens_user_idx on hookswitch_auth.one_time_tokens (user_id, kind, created_at);
create index one_time_tokens_expires_idx on hookswitch_auth.one_time_tokens (expires_at);

create table hookswitch_auth.factors (
    id uuid constraint factors_pkey primary key default gen_random_uuid(),
    user_id uuid not null,
    name text,
    secret text not null,
    verified_at timestamptz,
    last_step bigint not null default 0,
    created_at timestamptz not null default now()
);
comment on table hookswitch_auth.factors is 'Second factors: time-based one-time codes (RFC 6238).';
comment on column hookswitch_auth.factors.secret is 'Sealed.';
comment on column hookswitch_auth.factors.last_step is 'The newest time step whose code was taken: no code counts twice.';
create unique index factors_verified_key on hookswitch_auth.factors (user_id) where verified_at is not null;
create index factors_user_idx on hookswitch_auth.factors (user_id);

create table hookswitch_auth.recovery_codes (
    user_id uuid not null,
    hash text not null constraint recovery_codes_hash_check check (hash ~ '^[0-9a-f]{64}$'),
    used_at timestamptz,
    created_at timestamptz not null default now(),
    constraint recovery_codes_pkey primary key (user_id, hash)
);
comment on table hookswitch_auth.recovery_codes is 'SHA-256 of codes that stand in for the second factor, each once.';

create table hookswitch_auth.throttles (
    key text constraint throttles_pkey primary key constraint throttles_key_check check (key ~ '^[0-9a-f]{64}$'),
    tries integer not null,
    blocked_until timestamptz,
    touched_at timestamptz not null
);
comment on table hookswitch_auth.throttles is
    'How often something was tried that is not to be guessed.  key: SHA-256 of what is counted and for whom, so that no address stands here.';
create index throttles_touched_idx on hookswitch_auth.throttles (touched_at);

do $$
declare
    t text;
begin
    foreach t in array array['credentials', 'sessions', 'refresh_tokens', 'one_time_tokens', 'factors', 'recovery_codes', 'throttles'] loop
        execute format('alter table hookswitch_auth.%I enable row level security', t);
        execute format('alter table hookswitch_auth.%I force row level security', t);
        execute format('revoke all on hookswitch_auth.%I from public, anon, authenticated', t);
        execute format('create policy %I on hookswitch_auth.%I to hookswitch_pump using (true) with check (true)', t || '_pump', t);
        execute format('grant select, insert, update, delete on hookswitch_auth.%I to hookswitch_pump', t);
    end loop;
    -- A person who is taken away takes this along; sessions stay as long as a token of theirs may be shown.
    if (select nspowner from pg_namespace where nspname = 'auth') = (select nspowner from pg_namespace where nspname = 'api') then
        foreach t in array array['credentials', 'one_time_tokens', 'factors', 'recovery_codes'] loop
            execute format('alter table hookswitch_auth.%I add constraint %I foreign key (user_id) references auth.users on delete cascade',
                           t, t || '_user_fkey');
        end loop;
    end if;
end
$$;
