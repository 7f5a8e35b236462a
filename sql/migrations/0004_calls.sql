-- 0004_calls.sql - a call from wish to record: calls and what belongs to them, the queue, the attempts, the ledger, events out.

create table public.calls (
    id uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    organization_id uuid not null constraint calls_organization_fkey references public.organizations,
    user_id uuid,
    direction text not null default 'outbound' constraint calls_direction_check check (direction in ('outbound', 'inbound')),
    status text not null default 'queued' constraint calls_status_check
        check (status in ('queued', 'in-progress', 'completed', 'failed', 'canceled', 'expired')),
    progress text constraint calls_progress_check check (progress in ('queued', 'ringing', 'in-progress', 'forwarding', 'ended')),
    from_number text,
    to_number text,
    recipient_name text,
    recipient_email text,
    template_id uuid,
    voice_id uuid,
    caller_number_id uuid,
    phone_number_id uuid,
    assistant_id uuid,
    provider_id uuid,
    provider_type text,
    provider_call_id text,
    vapi_call_id text,
    priority integer,
    scheduled_time timestamptz,
    attempts integer not null default 0,
    retry_of uuid,
    custom_variables jsonb not null default '{}',
    metadata jsonb not null default '{}',
    started_at timestamptz,
    ended_at timestamptz,
    duration_seconds integer,
    ended_reason text,
    end_class text,
    last_error text,
    vapi_cost_cents numeric,
    total_cost_cents numeric,
    finished_at timestamptz,
    updated_at timestamptz not null default now(),
    constraint calls_pkey primary key (id, created_at)
) partition by range (created_at);
comment on table public.calls is 'A call, in or out, from the moment it is wanted.  Monthly partitions.';
comment on column public.calls.progress is 'How far the live attempt has come at the provider.';
comment on column public.calls.vapi_call_id is 'provider_call_id where the provider is Vapi.';
comment on column public.calls.ended_reason is 'The provider''s own end reason, or ours: canceled, expired, outcome_unknown, http_400, ...';
comment on column public.calls.vapi_cost_cents is 'What the provider charged, in US cents; null: not told.';
create index calls_list_idx on public.calls (organization_id, created_at desc, id desc);
create index calls_provider_call_idx on public.calls (provider_call_id) where provider_call_id is not null;

create table public.call_queue (
    id uuid constraint call_queue_pkey primary key default gen_random_uuid(),
    position bigint generated always as identity,
    call_created_at timestamptz not null default now(),
    organization_id uuid not null constraint call_queue_organization_fkey references public.organizations,
    user_id uuid,
    recipient_number text not null constraint call_queue_number_check check (recipient_number ~ '^\+[1-9][0-9]{6,14}$'),
    recipient_name text,
    recipient_email text,
    scheduled_time timestamptz,
    due_at timestamptz not null default now(),
    expires_at timestamptz not null,
    status text not null default 'queued' constraint call_queue_status_check
        check (status in ('queued', 'in-progress', 'completed', 'failed', 'canceled', 'expired')),
    ready boolean not null default false,
    route text not null default '',
    call_id text,
    provider_id uuid constraint call_queue_provider_fkey references public.call_service_providers on delete set null,
    template_id uuid constraint call_queue_template_fkey references public.call_templates on delete set null,
    voice_id uuid,
    caller_number_id uuid,
    custom_variables jsonb not null default '{}',
    metadata jsonb not null default '{}',
    priority integer not null default 5,
    attempts integer not null default 0,
    max_attempts integer not null default 3 constraint call_queue_max_attempts_check check (max_attempts between 1 and 20),
    retry_count integer not null default 0,
    cancel_requested_at timestamptz,
    admission text,
    last_error text,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default now(),
    constraint call_queue_call_fkey foreign key (id, call_created_at) references public.calls (id, created_at)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
comment on table public.call_queue is 'What is to be dialled.  Same id as the calls row, entered in the same transaction.  Finished rows are removed in batches.';
comment on column public.call_queue.position is 'First come, first served, also within one transaction.';
comment on column public.call_queue.due_at is 'Not before this time: the scheduled time, or when a redial is due.';
comment on column public.call_queue.ready is 'Due rows are promoted to ready in batches, so that a claim sees only those.';
comment on column public.call_queue.route is 'Kinds of provider that can say it, in order, joined by +; or the id of the one provider that was asked for.';
comment on column public.call_queue.call_id is 'The provider''s id of the live or last attempt.';
comment on column public.call_queue.attempts is 'Attempts that a provider accepted.';
comment on column public.call_queue.admission is 'Why it was admitted, or why it waits.';
comment on column public.call_queue.priority is 'A smaller number is sooner.';
create index call_queue_future_idx on public.call_queue (due_at) where status = 'queued' and not ready;
create index call_queue_ready_idx on public.call_queue (route, priority, due_at, position) where status = 'queued' and ready;
create index call_queue_ready_organization_idx on public.call_queue (route, organization_id, priority, due_at, position) where status = 'queued' and ready;
create index call_queue_expires_idx on public.call_queue (expires_at) where status = 'queued';
create index call_queue_finished_idx on public.call_queue (updated_at) where status in ('completed', 'failed', 'canceled', 'expired');
create index call_queue_template_idx on public.call_queue (template_id) where status = 'queued';
create index call_queue_provider_idx on public.call_queue (provider_id) where provider_id is not null;

create table public.call_assignments (
    id uuid constraint call_assignments_pkey primary key default gen_random_uuid(),
    call_id uuid not null,
    call_created_at timestamptz not null,
    organization_id uuid not null,
    provider_id uuid constraint call_assignments_provider_fkey references public.call_service_providers on delete set null,
    provider_type text not null,
    attempt integer not null,
    state text not null default 'leased' constraint call_assignments_state_check
        check (state in ('leased', 'sent', 'accepted', 'ended', 'refused', 'absent', 'unknown')),
    worker text,
    fence bigint not null default 1,
    lease_until timestamptz not null,
    assistant text,
    caller_number text,
    created_at timestamptz not null default now(),
    sent_at timestamptz,
    deadline_at timestamptz,
    accepted_at timestamptz,
    answered_at timestamptz,
    ended_at timestamptz,
    finished_at timestamptz,
    progress text constraint call_assignments_progress_check check (progress in ('queued', 'ringing', 'in-progress', 'forwarding', 'ended')),
    provider_call_id text,
    control_url text,
    hangup_requested_at timestamptz,
    hangup_at timestamptz,
    hangup_tries integer not null default 0,
    next_look_at timestamptz,
    look_fence bigint not null default 0,
    looks integer not null default 0,
    first_absent_at timestamptz,
    outcome text,
    reason text,
    end_class text,
    http_status integer,
    detail text,
    duration_seconds integer,
    cost_cents numeric,
    final boolean not null default false,
    updated_at timestamptz not null default now(),
    constraint call_assignments_call_fkey foreign key (call_id, call_created_at) references public.calls (id, created_at) on delete cascade
) with (fillfactor = 80);
comment on table public.call_assignments is 'One try: which provider was to make which call, and what became of it.';
comment on column public.call_assignments.id is 'Our mark at the provider.';
comment on column public.call_assignments.fence is 'Grows with each new lease; a pump that lost its lease cannot send or record with an old one.';
comment on column public.call_assignments.deadline_at is 'When an answer to the dial was due at the latest.';
comment on column public.call_assignments.next_look_at is 'When the provider is to be asked what became of it; null: not.';
comment on column public.call_assignments.finished_at is 'When its outcome was recorded for good; an ended attempt may still wait for its report.';
comment on column public.call_assignments.final is 'The provider''s own report has come.';
-- One live attempt for each call: the second dial is impossible here, not only unlikely.
create unique index call_assignments_live_key on public.call_assignments (call_id) where state in ('leased', 'sent', 'accepted', 'unknown');
create index call_assignments_live_idx on public.call_assignments (provider_id, organization_id) where state in ('leased', 'sent', 'accepted', 'unknown');
create index call_assignments_lease_idx on public.call_assignments (lease_until) where state in ('leased', 'sent');
create index call_assignments_look_idx on public.call_assignments (next_look_at) where next_look_at is not null;
create index call_assignments_hangup_idx on public.call_assignments (hangup_requested_at) where hangup_requested_at is not null and hangup_at is null;
create index call_assignments_call_idx on public.call_assignments (call_id, attempt);
create index call_assignments_starts_idx on public.call_assignments (provider_id, created_at);
create unique index call_assignments_provider_call_key on public.call_assignments (provider_type, provider_call_id) where provider_call_id is not null;

create table public.call_retries (
    id uuid constraint call_retries_pkey primary key default gen_random_uuid(),
    call_id uuid not null,
    call_created_at timestamptz not null,
    organization_id uuid not null,
    assignment_id uuid,
    attempt integer not null,
    reason text,
    end_class text,
    delay_seconds double precision not null,
    retry_at timestamptz not null,
    created_at timestamptz not null default now(),
    constraint call_retries_call_fkey foreign key (call_id, call_created_at) references public.calls (id, created_at) on delete cascade
);
comment on table public.call_retries is 'Each time a call was put back to be dialled again, and why.';
create index call_retries_call_idx on public.call_retries (call_id);

create table public.call_transcripts (
    call_id uuid not null,
    call_created_at timestamptz not null,
    organization_id uuid not null,
    transcript_text text,
    transcript_segments jsonb,
    summary text,
    extracted_data jsonb,
    created_at timestamptz not null default now(),
    constraint call_transcripts_pkey primary key (call_id, call_created_at),
    constraint call_transcripts_call_fkey foreign key (call_id, call_created_at) references public.calls (id, created_at) on delete cascade
);
comment on table public.call_transcripts is 'What was said.';
create index call_transcripts_organization_idx on public.call_transcripts (organization_id);

create table public.call_recordings (
    call_id uuid not null,
    call_created_at timestamptz not null,
    organization_id uuid not null,
    recording_url text,
    stereo_recording_url text,
    storage_path text,
    duration_seconds integer,
    created_at timestamptz not null default now(),
    constraint call_recordings_pkey primary key (call_id, call_created_at),
    constraint call_recordings_call_fkey foreign key (call_id, call_created_at) references public.calls (id, created_at) on delete cascade
);
comment on table public.call_recordings is 'Where the recording is; the URLs are the provider''s identifiers, fresh ones are asked for on each request.';

create table public.call_actions (
    id uuid constraint call_actions_pkey primary key default gen_random_uuid(),
    call_id uuid not null,
    call_created_at timestamptz not null,
    organization_id uuid not null,
    action_type text not null,
    action_data jsonb not null default '{}',
    status text not null default 'pending',
    triggered_at timestamptz not null default now(),
    constraint call_actions_call_fkey foreign key (call_id, call_created_at) references public.calls (id, created_at) on delete cascade
);
comment on table public.call_actions is 'What the assistant did during a call: transfer, message taken, callback scheduled.';
create index call_actions_call_idx on public.call_actions (call_id);

create table public.call_feedback (
    id uuid constraint call_feedback_pkey primary key default gen_random_uuid(),
    call_id uuid not null,
    call_created_at timestamptz not null,
    organization_id uuid not null,
    user_id uuid,
    rating integer constraint call_feedback_rating_check check (rating between 1 and 5),
    comments text,
    created_at timestamptz not null default now(),
    constraint call_feedback_call_fkey foreign key (call_id, call_created_at) references public.calls (id, created_at) on delete cascade
);
comment on table public.call_feedback is 'What people thought of a call.';
create index call_feedback_call_idx on public.call_feedback (call_id);

create table public.usage_entries (
    id uuid constraint usage_entries_pkey primary key default gen_random_uuid(),
    organization_id uuid not null,
    user_id uuid,
    call_id uuid not null,
    call_created_at timestamptz not null,
    kind text not null constraint usage_entries_kind_check check (kind in ('calls', 'seconds')),
    quantity numeric not null constraint usage_entries_quantity_check check (quantity >= 0),
    occurred_at timestamptz not null,
    created_at timestamptz not null default now(),
    constraint usage_entries_call_kind_key unique (call_id, kind),
    constraint usage_entries_call_fkey foreign key (call_id, call_created_at) references public.calls (id, created_at)
);
comment on table public.usage_entries is 'The ledger: one row for each call and kind, written in the transaction that ends the call.';
comment on column public.usage_entries.occurred_at is 'When the call ended: it belongs to the period of its end.';
create index usage_entries_period_idx on public.usage_entries (organization_id, occurred_at);

create table public.do_not_call (
    organization_id uuid not null constraint do_not_call_organization_fkey references public.organizations on delete cascade,
    phone_number text not null constraint do_not_call_number_check check (phone_number ~ '^\+[1-9][0-9]{6,14}$'),
    reason text,
    created_at timestamptz not null default now(),
    constraint do_not_call_pkey primary key (organization_id, phone_number)
);
comment on table public.do_not_call is 'Numbers that an organization must not dial; checked at admission.';

create table public.events (
    id uuid constraint events_pkey primary key default gen_random_uuid(),
    organization_id uuid not null constraint events_organization_fkey references public.organizations on delete cascade,
    type text not null constraint events_type_check check (type ~ '^[a-z0-9_]+(\.[a-z0-9_]+)*$'),
    subject_id uuid,
    data jsonb not null,
    created_at timestamptz not null default now()
);
comment on table public.events is 'Every event that goes out, in its final form: {"type","timestamp","data"} is made from these columns.';
create index events_organization_idx on public.events (organization_id, created_at, id);
create unique index events_subject_key on public.events (subject_id, type) where subject_id is not null;

create table public.end_reasons (
    provider_type text not null,
    reason text not null,
    class text not null constraint end_reasons_class_check
        check (class in ('finished', 'retry_later', 'retry_soon', 'operator_account', 'operator_config', 'never')),
    refusal text constraint end_reasons_refusal_check check (refusal in ('concurrency', 'credit', 'key')),
    constraint end_reasons_pkey primary key (provider_type, reason)
);
comment on table public.end_reasons is 'What a provider''s end reason means for us.  A reason that is not here is kept, counted, and not redialled.';
comment on column public.end_reasons.refusal is 'Set where the call never began because the provider refused it for its own reasons: another provider is asked.';

create table public.end_reasons_unlisted (
    provider_type text not null,
    reason text not null,
    seen bigint not null default 1,
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    constraint end_reasons_unlisted_pkey primary key (provider_type, reason)
);
comment on table public.end_reasons_unlisted is 'End reasons that were met and are in no list, with how often.';

create table public.retry_policies (
    class text constraint retry_policies_pkey primary key,
    first_seconds double precision not null,
    factor double precision not null,
    max_seconds double precision not null
);
comment on table public.retry_policies is 'Waits between redials by the end reason''s class: first, times factor for each further one, at most max.';
insert into public.retry_policies (class, first_seconds, factor, max_seconds) values
    ('retry_later', 900, 2, 14400),
    ('retry_soon', 30, 2, 900),
    ('operator_account', 60, 2, 900);

create trigger call_queue_fill before insert on public.call_queue
    for each row execute function public.call_queue_fill();
create trigger call_queue_moves before update of status on public.call_queue
    for each row when (old.status is distinct from new.status) execute function public.check_state_move('call_queue', 'status');
create trigger calls_moves before update of status on public.calls
    for each row when (old.status is distinct from new.status) execute function public.check_state_move('calls', 'status');
create trigger call_assignments_moves before update of state on public.call_assignments
    for each row when (old.state is distinct from new.state) execute function public.check_state_move('call_assignments', 'state');
