-- 0010_limits.sql - what limits requests, and what is remembered of other people's key sets.

-- Written with almost every request, worth nothing after a crash: unlogged.  full_at carries no index of its own, so that a change stays
-- within its page.
create unlogged table public.rate_buckets (
    key text constraint rate_buckets_pkey primary key,
    full_at bigint not null
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
comment on table public.rate_buckets is 'A token bucket each for a key, a person, an organization, a client address; one that is not here is full.';
comment on column public.rate_buckets.full_at is 'When it will be full again: microseconds since 1970.';

-- What is a person's own (an account, making an organization) is under the person's keys, whichever organization is active, or none.
alter table public.idempotency_keys
    drop constraint idempotency_keys_pkey,
    alter column organization_id drop not null,
    add column user_id uuid,
    add column owner_id uuid not null generated always as (coalesce(organization_id, user_id)) stored,
    add constraint idempotency_keys_owner_check check (num_nonnulls(organization_id, user_id) = 1),
    add constraint idempotency_keys_pkey primary key (owner_id, key);
comment on column public.idempotency_keys.user_id is 'Whose key it is, of a route for people; else it is the organization''s.';
create index idempotency_keys_organization_idx on public.idempotency_keys (organization_id);
create policy idempotency_keys_person on public.idempotency_keys to hookswitch_api
    using (user_id = (select public.current_user_id())) with check (user_id = (select public.current_user_id()));

create table public.key_sets (
    url text constraint key_sets_pkey primary key,
    body text,
    fetched_at timestamptz,
    tried_at timestamptz not null default clock_timestamp(),
    state text not null constraint key_sets_state_check check (state in ('trying', 'fetched', 'failed'))
);
comment on table public.key_sets is 'Key sets that sign tokens, as they were last fetched: for all processes, and for plain CGI, which forgets everything.';

do $$
declare
    t text;
begin
    foreach t in array array['rate_buckets', 'key_sets'] loop
        execute format('alter table public.%I enable row level security', t);
        execute format('alter table public.%I force row level security', t);
        execute format('revoke all on public.%I from public, anon, authenticated', t);
        execute format('create policy %I on public.%I to hookswitch_pump using (true) with check (true)', t || '_pump', t);
        execute format('grant select, insert, update, delete on public.%I to hookswitch_pump', t);
        execute format('create policy %I on public.%I for select to hookswitch_operator using (true)', t || '_operator', t);
        execute format('grant select on public.%I to hookswitch_operator', t);
        execute format('create policy %I on public.%I to service_role using (true) with check (true)', t || '_service', t);
    end loop;
end
$$;
