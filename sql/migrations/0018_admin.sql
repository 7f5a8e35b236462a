-- 0018_admin.sql - what operators of an installation need: organizations that are closed for a while, keys of providers that can be told
-- apart, and a log of what operators did.

alter table public.organizations
    add column disabled_from text constraint organizations_disabled_from_check
        check (disabled_from in ('active', 'past_due', 'read_only', 'suspended', 'canceled'));
comment on column public.organizations.disabled_from is 'An operator closed it: the status that it had, and gets back when it is opened again.';
create index organizations_list_idx on public.organizations (created_at desc, id desc);
create index user_profiles_list_idx on public.user_profiles (created_at desc, id desc);

alter table public.call_service_providers
    add column key_number integer not null default 1,
    add column key_hint text,
    add column key_fingerprint text,
    add column key_changed_at timestamptz;
comment on column public.call_service_providers.key_number is
    'Grows with each new key; a dial carries the number of the key that it was made with, so that a refusal of the old one is not held against the new one.';
comment on column public.call_service_providers.key_hint is 'The last four characters of the key, to tell it by; null: too short, or none of its own.';
comment on column public.call_service_providers.key_fingerprint is 'The first sixteen digits of the key''s SHA-256, to compare it with.';

-- What operators do that is no organization's business stands in the same log, without one.
alter table public.audit_log
    drop constraint audit_log_actor_type_check,
    drop constraint audit_log_target_type_check,
    alter column organization_id drop not null,
    alter column target_id drop not null,
    add constraint audit_log_actor_type_check check (actor_type in ('user', 'key', 'service', 'system', 'operator')),
    add constraint audit_log_target_type_check check (target_type ~ '^[a-z_]+$'),
    add constraint audit_log_target_check check (organization_id is null or target_id is not null);
comment on column public.audit_log.organization_id is 'Null: of the installation (its providers, people, runs), for operators alone.';
comment on column public.audit_log.actor_type is
    'user: a person; key: an API key; service: the application''s own back end; operator: somebody who looks after the installation; system: SQL without anybody''s claims, and our workflows.';
comment on column public.audit_log.target_id is 'Null only without an organization: what has an id of another kind stands in details.';
create index audit_log_installation_idx on public.audit_log (created_at desc, id desc) where actor_type = 'operator' or organization_id is null;

-- Keys of idempotency are an operator's own, as a person's are on routes for people.
create policy idempotency_keys_operator_own on public.idempotency_keys to hookswitch_operator
    using (user_id = (select public.current_user_id())) with check (user_id = (select public.current_user_id()));
grant insert, delete on public.idempotency_keys to hookswitch_operator;

-- Declared here so that the trigger can name it; its body is in sql/functions.
create function public.audit_provider() returns trigger language plpgsql as 'begin return null; end';
-- Not of the columns that each refusal changes.
create trigger call_service_providers_audit after insert or delete or update of name, provider_type, type, api_key, api_credentials, base_url,
    max_concurrent_calls, concurrency_limit, priority, starts_per_second, capabilities, is_active, is_draining, timeout_ms, silence_seconds,
    report_grace_seconds, report_patience_seconds, absence_gap_seconds, absence_after_seconds, absence_slack_seconds, unknown_patience_seconds,
    cool_seconds, retry_scale on public.call_service_providers
    for each row execute function public.audit_provider();

-- Events that somebody should look at; few, whatever comes in.
create index webhook_events_odd_idx on public.webhook_events (id) where state in ('waiting', 'failed', 'foreign_call', 'unmatched', 'unknown');
