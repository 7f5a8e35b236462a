-- 0005_webhooks.sql - every event that comes in.

-- A check of a table is read anew by each statement that writes to it; one of a domain is not.
create domain public.webhook_signer as text constraint webhook_signer_check check (value in ('call', 'organization', 'installation'));
create domain public.webhook_state as text constraint webhook_state_check
    check (value in ('kept', 'applied', 'ignored', 'waiting', 'failed', 'foreign_call', 'unmatched', 'unknown'));

create table public.webhook_events (
    id bigint generated always as identity,
    received_at timestamptz not null default now(),
    provider text not null,
    organization_id uuid not null,
    signer public.webhook_signer not null,
    type text not null,
    key text not null,
    assignment_id uuid,
    provider_call_id text,
    state public.webhook_state not null,
    apply_error text,
    tries integer not null default 0,
    try_at timestamptz,
    report text compression lz4,
    body text compression lz4 not null,
    constraint webhook_events_pkey primary key (id, received_at)
) partition by range (received_at);
comment on table public.webhook_events is 'Raw events with the few columns that are searched.  Monthly partitions.';
comment on column public.webhook_events.state is
    'kept: moves nothing; applied; ignored: nothing new in it; waiting: its call is not known yet; failed: its effect failed and is tried again; foreign_call: names another organization''s call; unmatched: waited too long; unknown: a shape that we do not understand.';
comment on column public.webhook_events.report is 'The normal report that is still to be applied; null once it was.';
create index webhook_events_try_idx on public.webhook_events (try_at) where state in ('waiting', 'failed');
create index webhook_events_waiting_idx on public.webhook_events (provider, provider_call_id) where state = 'waiting';

create table public.webhook_event_keys (
    provider text not null,
    key text not null,
    created_at timestamptz not null default now(),
    constraint webhook_event_keys_pkey primary key (provider, key)
);
comment on table public.webhook_event_keys is 'What makes an event one event: a second delivery finds its key here.  Pruned after 30 days.';
create index webhook_event_keys_created_idx on public.webhook_event_keys using brin (created_at);

create table public.webhook_counts (
    provider text not null,
    type text not null,
    seen bigint not null default 0,
    constraint webhook_counts_pkey primary key (provider, type)
);
comment on table public.webhook_counts is 'Counters for /metrics, written in batches: event types that are not kept, ''state:...'' of those that are, and the pump''s own.';

create table public.webhook_secrets (
    id uuid constraint webhook_secrets_pkey primary key default gen_random_uuid(),
    organization_id uuid not null constraint webhook_secrets_organization_fkey references public.organizations on delete cascade,
    provider text not null,
    kind text not null constraint webhook_secrets_kind_check check (kind in ('bearer', 'hmac', 'call_id')),
    config jsonb not null default '{}',
    secret text not null,
    valid_until timestamptz,
    created_at timestamptz not null default now()
);
comment on table public.webhook_secrets is 'Secrets with which a provider speaks for one organization; several are valid while one is rotated.  Sealed.';
comment on column public.webhook_secrets.config is 'As Vapi''s credential: headerName, bearerPrefixEnabled; or algorithm, signatureHeader, timestampHeader, signaturePrefix, payloadFormat, signatureEncoding, secretIsBase64, messageIdHeader.';
create index webhook_secrets_organization_idx on public.webhook_secrets (organization_id, provider);
