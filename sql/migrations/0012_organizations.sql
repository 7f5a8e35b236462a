-- 0012_organizations.sql - invitations, the audit log, what deleting with grace and rotating keys need.

alter table public.organizations
    add column deleted_after timestamptz,
    add column status_before text,
    add column deletion_run text,
    add constraint organizations_deleted_check check ((deleted_after is null) = (status_before is null) and (deleted_after is null) = (deletion_run is null));
comment on column public.organizations.deleted_after is 'Deleted by an owner: everything goes after this time, until then it can be restored; null: not deleted.';
comment on column public.organizations.status_before is 'What the status is again when it is restored.';
comment on column public.organizations.deletion_run is 'The workflow run that removes it.';
comment on column public.organizations.settings is
    'notifications {"sms":{"enabled","numbers"},"email":{"enabled","addresses"},"sms_enabled","sms_numbers"}, transfer_numbers {"dispatch","manager","emergency"},
     calling_hours {"start":"09:00","end":"20:00","timezone":"America/New_York","days":[1,2,3,4,5]} (ISO days of the week).';

alter table public.api_keys
    add column replaces uuid constraint api_keys_replaces_fkey references public.api_keys on delete set null,
    add constraint api_keys_replaces_key unique (replaces);
comment on column public.api_keys.replaces is 'The key that this one was rotated from; a key is replaced once.';
grant select (replaces) on public.api_keys to hookswitch_api;

create table public.organization_invitations (
    id uuid constraint organization_invitations_pkey primary key default gen_random_uuid(),
    organization_id uuid not null constraint organization_invitations_organization_fkey references public.organizations on delete cascade,
    email text not null constraint organization_invitations_email_check check (email = lower(email) and length(email) between 3 and 254),
    role text not null constraint organization_invitations_role_check check (role in ('owner', 'admin', 'member', 'viewer')),
    state text not null default 'pending' constraint organization_invitations_state_check
        check (state in ('pending', 'accepted', 'revoked', 'expired')),
    invited_by uuid,
    accepted_by uuid,
    expires_at timestamptz not null,
    sent_at timestamptz not null default now(),
    sent_count integer not null default 1,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default now()
);
comment on table public.organization_invitations is 'Who was asked by mail to join an organization.  The token in the mail is made from the id and not stored.';
comment on column public.organization_invitations.state is 'A pending one whose expires_at has passed counts as expired; the column follows when it is asked for again.';
comment on column public.organization_invitations.sent_count is 'Mails so far; each is a run of its own.';
create unique index organization_invitations_pending_key on public.organization_invitations (organization_id, email) where state = 'pending';
create index organization_invitations_list_idx on public.organization_invitations (organization_id, created_at desc, id desc);

insert into public.state_moves (machine, from_state, to_state) values
    ('organization_invitations', 'pending', 'accepted'),
    ('organization_invitations', 'pending', 'revoked'),
    ('organization_invitations', 'pending', 'expired');

create table public.audit_log (
    id uuid constraint audit_log_pkey primary key default gen_random_uuid(),
    organization_id uuid not null constraint audit_log_organization_fkey references public.organizations on delete cascade,
    created_at timestamptz not null default clock_timestamp(),
    actor_type text not null constraint audit_log_actor_type_check check (actor_type in ('user', 'key', 'service', 'system')),
    actor_id uuid,
    action text not null constraint audit_log_action_check check (action ~ '^[a-z_]+\.[a-z_]+$'),
    target_type text not null constraint audit_log_target_type_check check (target_type in ('organization', 'member', 'invitation', 'api_key')),
    target_id uuid not null,
    details jsonb not null default '{}' constraint audit_log_details_check check (jsonb_typeof(details) = 'object'),
    request_id text,
    address text
);
comment on table public.audit_log is 'Who changed what: members, roles, keys, settings, invitations, deletion.  Append-only: rows go with their whole organization and not before.';
comment on column public.audit_log.actor_type is 'user: a person; key: an API key; service: the application''s own back end; system: SQL without anybody''s claims, and our workflows.';
create index audit_log_list_idx on public.audit_log (organization_id, created_at desc, id desc);

-- Declared here so that triggers can name them; their bodies are in sql/functions.
create function public.audit_keep() returns trigger language plpgsql as 'begin return null; end';
create function public.audit_organization() returns trigger language plpgsql as 'begin return null; end';
create function public.audit_member() returns trigger language plpgsql as 'begin return null; end';
create function public.audit_invitation() returns trigger language plpgsql as 'begin return null; end';
create function public.audit_api_key() returns trigger language plpgsql as 'begin return null; end';
create function public.organization_owner_keep() returns trigger language plpgsql as 'begin return null; end';

create trigger audit_log_keep before update or delete on public.audit_log
    for each row execute function public.audit_keep();
create trigger audit_log_keep_all before truncate on public.audit_log
    for each statement execute function public.audit_keep();
create trigger organizations_audit after insert or update of name, settings, max_concurrent_calls, status, deleted_after on public.organizations
    for each row execute function public.audit_organization();
create trigger organization_members_audit after insert or delete or update of role on public.organization_members
    for each row execute function public.audit_member();
create trigger organization_members_owner after delete or update of role on public.organization_members
    for each row when (old.role = 'owner') execute function public.organization_owner_keep();
create trigger organization_invitations_audit after insert or update of state, sent_count on public.organization_invitations
    for each row execute function public.audit_invitation();
create trigger organization_invitations_moves before update of state on public.organization_invitations
    for each row when (old.state is distinct from new.state) execute function public.check_state_move('organization_invitations', 'state');
create trigger organization_invitations_touch before update on public.organization_invitations
    for each row execute function public.touch_updated_at();
create trigger api_keys_audit after insert or delete or update of name, scopes, expires_at, revoked_at on public.api_keys
    for each row execute function public.audit_api_key();

-- Rights, as in 0008_rights.sql.
do $$
declare
    t text;
begin
    foreach t in array array['organization_invitations', 'audit_log'] loop
        execute format('alter table public.%I enable row level security', t);
        execute format('alter table public.%I force row level security', t);
        execute format('revoke all on public.%I from public, anon, authenticated', t);
        execute format('create policy %I on public.%I to hookswitch_pump using (true) with check (true)', t || '_pump', t);
        execute format('grant select, insert on public.%I to hookswitch_pump', t);
        execute format('create policy %I on public.%I for select to hookswitch_operator using (true)', t || '_operator', t);
        execute format('grant select on public.%I to hookswitch_operator', t);
        execute format('create policy %I on public.%I for select to hookswitch_api
                            using (organization_id = (select public.current_organization_id()))', t || '_organization', t);
        execute format('grant select on public.%I to hookswitch_api', t);
        execute format('create policy %I on public.%I to service_role using (true) with check (true)', t || '_service', t);
        execute format('grant select on public.%I to service_role', t);
    end loop;
end
$$;
grant update, delete on public.organization_invitations to hookswitch_pump;

-- Outgoing events are never taken back, but for those of an organization whose time has come.
create policy events_purge on public.events as restrictive for delete to hookswitch_pump
    using (exists (select from public.organizations o where o.id = organization_id and o.status = 'disabled' and o.deleted_after <= now()));
grant delete on public.events to hookswitch_pump;
create policy audit_log_purge on public.audit_log as restrictive for delete to hookswitch_pump
    using (exists (select from public.organizations o where o.id = organization_id and o.status = 'disabled' and o.deleted_after <= now()));
grant delete on public.audit_log to hookswitch_pump;
