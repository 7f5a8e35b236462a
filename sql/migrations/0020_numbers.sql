-- 0020_numbers.sql - phone numbers that are bought, linked, paused and given back by themselves; assistants that answer them; text messages;
-- what Twilio and Vapi have and we do not, or the other way round.

-- ---- plans ---------------------------------------------------------------

alter table public.subscription_plans
    add column number_limit integer default 0 constraint subscription_plans_number_limit_check check (number_limit >= 0);
update public.subscription_plans set number_limit = case
    when name = 'free' or price = 0 then 0 when name = 'business' then 5 when name = 'enterprise' then null else 1 end;
comment on column public.subscription_plans.number_limit is 'Phone numbers at once; null: no limit.  Numbers beyond it are paused.';

-- ---- how numbers come and go by themselves -----------------------------------

create table public.number_policy (
    id integer constraint number_policy_pkey primary key default 1 constraint number_policy_id_check check (id = 1),
    enabled boolean not null default true,
    share_percent integer not null default 100 constraint number_policy_share_check check (share_percent between 0 and 100),
    organizations uuid[] not null default '{}',
    country_code text not null default 'US' constraint number_policy_country_check check (country_code ~ '^[A-Z]{2}$'),
    number_type text not null default 'local' constraint number_policy_type_check check (number_type in ('local', 'toll-free', 'mobile')),
    near_owner boolean not null default false,
    template_slug text,
    grace_days integer not null default 30 constraint number_policy_grace_check check (grace_days between 0 and 3650),
    paused_days integer not null default 90 constraint number_policy_paused_check check (paused_days between 0 and 3650),
    rest_days integer not null default 30 constraint number_policy_rest_check check (rest_days between 0 and 3650),
    orphans text not null default 'release' constraint number_policy_orphans_check check (orphans in ('show', 'release')),
    drift text not null default 'mend' constraint number_policy_drift_check check (drift in ('show', 'mend')),
    updated_at timestamptz not null default now()
);
-- An installation that has organizations already is asked first: hookswitch-numbers on.
insert into public.number_policy (enabled) select not exists (select from public.organizations);
comment on table public.number_policy is 'One row: how numbers are given to organizations by themselves.';
comment on column public.number_policy.enabled is 'Off: nothing is bought, paused or released by itself; what people ask for themselves is done.';
comment on column public.number_policy.share_percent is 'Of the organizations, chosen by their ids, so many get numbers by themselves; those listed in organizations always do.';
comment on column public.number_policy.near_owner is 'Look in the owner''s own town first (profiles.city and state), then anywhere in the country.';
comment on column public.number_policy.template_slug is 'What an assistant is made from where an organization has named no template; null: the first that needs nothing but a name.';
comment on column public.number_policy.grace_days is 'After a subscription was cancelled its numbers are kept paused for so long, then released.';
comment on column public.number_policy.paused_days is 'The same for numbers that another plan does not include.';
comment on column public.number_policy.rest_days is 'A number that was released here is not bought again for so long: people may still call it for somebody else.';
comment on column public.number_policy.orphans is 'Numbers at Twilio and Vapi that we bought and nobody here owns: only shown, or released when two sweeps have seen them.';
comment on column public.number_policy.drift is 'Settings at Twilio and Vapi that are not what we set: only shown, or set again.';

-- What is decided from, in one look at an organization (public.provision_read).
create type public.provision_facts as (
    organization_id uuid, organization_status text, deleted_after timestamptz, standing text, subscription_id uuid,
    subscription_status text, tier_type text, subscribed_at timestamptz, may_call boolean, is_over boolean, plan_id uuid, is_paid boolean,
    number_limit integer, was_canceled boolean, who uuid, city text, state text, paddle_customer_id text, vapi_assistant_id text,
    provisioning_status text, policy public.number_policy, in_rollout boolean, numbers public.phone_numbers[], failed bigint,
    failed_at timestamptz, released_by_person boolean
);

-- ---- assistants ------------------------------------------------------------

alter table public.assistants
    add column description text,
    add column language text not null default 'en',
    add column first_message text,
    add column end_call_message text,
    add column end_call_phrases jsonb not null default '[]' constraint assistants_phrases_check check (jsonb_typeof(end_call_phrases) = 'array'),
    add column voicemail_message text,
    add column model_provider text not null default 'openai',
    add column model_name text not null default 'gpt-4o-mini',
    add column model_temperature numeric(3, 2) not null default 0.7,
    add column voice_provider text not null default '11labs',
    add column voice_id text not null default 'pNInz6obpgDQGcFmaJgB',
    add column voice_settings jsonb not null default '{}',
    add column transcriber_provider text not null default 'deepgram',
    add column transcriber_model text not null default 'nova-2',
    add column background_sound text,
    add column silence_timeout_seconds integer not null default 30,
    add column max_duration_seconds integer not null default 600,
    add column functions jsonb not null default '[]' constraint assistants_functions_check check (jsonb_typeof(functions) = 'array'),
    add column user_id uuid,
    add column version bigint not null default 1,
    add column synced_version bigint not null default 0,
    add column synced_at timestamptz,
    add column provider_id uuid constraint assistants_provider_fkey references public.call_service_providers on delete set null,
    add column run_id text,
    add column runs bigint not null default 0,
    add column last_error text,
    add column deleted_at timestamptz;
update public.assistants set synced_version = case when vapi_assistant_id is not null then version else 0 end;
alter table public.assistants
    alter column status set default 'pending',
    add constraint assistants_status_check check (status in ('pending', 'active', 'failed', 'deleting', 'deleted')) not valid;
comment on column public.assistants.status is 'pending: it is being brought to Vapi; active: it is there as it is here; failed: Vapi will not have it (last_error); deleting, deleted.';
comment on column public.assistants.version is 'One more with each change; synced_version is the one that Vapi has.';
comment on column public.assistants.run_id is 'The run of assistant-sync that is at it; null: none.  runs numbers them.';
comment on column public.assistants.provider_id is 'The account at Vapi where it is.';
drop index public.assistants_organization_idx;
create index assistants_list_idx on public.assistants (organization_id, created_at desc, id desc);
create unique index assistants_vapi_key on public.assistants (vapi_assistant_id) where vapi_assistant_id is not null;

-- ---- numbers ---------------------------------------------------------------

alter table public.phone_numbers
    alter column phone_number drop not null,
    add column name text,
    add column number_type text constraint phone_numbers_type_check check (number_type in ('local', 'toll-free', 'mobile')),
    add column locality text,
    add column region text,
    add column origin text not null default 'manual' constraint phone_numbers_origin_check check (origin in ('manual', 'automatic', 'chosen')),
    add column wanted text not null default 'active' constraint phone_numbers_wanted_check check (wanted in ('active', 'paused', 'released')),
    add column want jsonb not null default '{}',
    add column tried text[] not null default '{}',
    add column searches integer not null default 0,
    add column asked integer not null default 0,
    add column asked_at timestamptz,
    add column assistant_wanted_id uuid constraint phone_numbers_assistant_wanted_fkey references public.assistants on delete set null,
    add column linked_assistant text,
    add column link_version bigint not null default 0,
    add column config_version bigint not null default 1,
    add column forward_to text constraint phone_numbers_forward_check check (forward_to ~ '^\+[1-9][0-9]{6,14}$'),
    add column forward_when text not null default 'down' constraint phone_numbers_forward_when_check check (forward_when in ('never', 'down', 'always')),
    add column sms_mode text not null default 'keep' constraint phone_numbers_sms_mode_check check (sms_mode in ('keep', 'forward', 'ignore')),
    add column sms_forward_to text constraint phone_numbers_sms_forward_check check (sms_forward_to ~ '^\+[1-9][0-9]{6,14}$'),
    add column twilio_account_sid text,
    add column run_id text,
    add column runs bigint not null default 0,
    add column purchased_at timestamptz,
    add column linked_at timestamptz,
    add column paused_at timestamptz,
    add column pause_reason text,
    add column release_after timestamptz,
    add column released_at timestamptz,
    add column release_reason text,
    add column rests_until timestamptz,
    add column swept_at timestamptz,
    add column last_error text;
-- Rows that are there already were written by hand: they are what they are.
update public.phone_numbers set status = 'paused' where status not in ('active', 'paused', 'released');
alter table public.phone_numbers
    alter column status set default 'active',
    add constraint phone_numbers_status_check
        check (status in ('searching', 'buying', 'linking', 'active', 'pausing', 'paused', 'releasing', 'released', 'failed', 'lost')),
    add constraint phone_numbers_known_check check (phone_number is not null or status in ('searching', 'failed', 'released')),
    add constraint phone_numbers_sid_key unique (provider, provider_sid);
update public.phone_numbers set wanted = case status when 'paused' then 'paused' when 'released' then 'released' else 'active' end;
comment on table public.phone_numbers is 'Numbers of organizations.  wanted is what they shall be; a run of phone-number brings status there.';
comment on column public.phone_numbers.phone_number is 'E.164; null: none was found yet.';
comment on column public.phone_numbers.status is
    'searching, buying, linking: on the way; active: it can be called; pausing, paused: kept, nobody answers; releasing, released: given back; failed: it was never had; lost: Twilio has it no more.';
comment on column public.phone_numbers.origin is 'manual: written here by hand, never bought, paused or released by us; automatic: given with a plan; chosen: a person asked for it.';
comment on column public.phone_numbers.want is 'What was asked for: {"country_code","number_type","area_code","contains","region","locality","phone_number"}.';
comment on column public.phone_numbers.tried is 'Numbers that somebody else had, in order.';
comment on column public.phone_numbers.asked is
    'How often Twilio was asked to sell phone_number, and did not say no: while it is not 0, it may be ours, whatever lists say.  asked_at: last.';
comment on column public.phone_numbers.assistant_wanted_id is 'Who shall answer it; assistant_id is who does.';
comment on column public.phone_numbers.linked_assistant is 'Vapi''s id of the assistant that Vapi was told of; null: none.';
comment on column public.phone_numbers.config_version is 'One more with each change that Twilio or Vapi must be told of; link_version is what they know.';
comment on column public.phone_numbers.forward_when is 'When callers are put through to forward_to: never, while the assistant cannot answer, or always.';
comment on column public.phone_numbers.sms_mode is 'Text messages to it are kept, kept and forwarded to sms_forward_to, or not taken.';
comment on column public.phone_numbers.run_id is 'The run of phone-number that is at it; null: none.  runs numbers them.';
comment on column public.phone_numbers.release_after is 'When a paused number is given back; null: it is not.';
comment on column public.phone_numbers.rests_until is 'A released number is not bought again before.';
-- A number is one organization's at a time.
create unique index phone_numbers_live_key on public.phone_numbers (phone_number)
    where phone_number is not null and status not in ('failed', 'released', 'lost') and origin <> 'manual';
create unique index phone_numbers_voice_key on public.phone_numbers (provider_id, voice_number_id) where voice_number_id is not null;
create index phone_numbers_number_idx on public.phone_numbers (phone_number);
create index phone_numbers_voice_idx on public.phone_numbers (voice_number_id) where voice_number_id is not null;
drop index public.phone_numbers_organization_idx;
create index phone_numbers_list_idx on public.phone_numbers (organization_id, created_at desc, id desc);
create index phone_numbers_release_idx on public.phone_numbers (release_after) where release_after is not null and wanted = 'paused';
create index phone_numbers_assistant_idx on public.phone_numbers (assistant_id) where assistant_id is not null;

alter table public.phone_provision_logs
    add column subscription_id uuid,
    add column tier_type text,
    add column subscription_status text,
    add column phone_number_id uuid,
    add column run_id text,
    add column step text,
    add column reason text,
    add column detail jsonb not null default '{}',
    add column began_at timestamptz,
    add column finished_at timestamptz,
    add column duration_ms bigint,
    add column counted boolean not null default false,
    add constraint phone_provision_logs_status_check check (status in ('pending', 'working', 'completed', 'skipped', 'failed', 'noted'));
create sequence public.phone_provision_responses;
alter table public.phone_provision_logs alter column response_id set default nextval('public.phone_provision_responses');
comment on column public.phone_provision_logs.trigger_action is
    'Of what a trigger wrote: insert, update (a subscription), organization, policy, ready, catchup, again; else what was decided or done: decide, search, buy, link, commit, pause, resume, release, ...';
comment on column public.phone_provision_logs.response_id is 'A number of its own, in the order in which they were written.';
comment on column public.phone_provision_logs.status is 'pending, working: not over; completed, failed; skipped: nothing had to be done, reason says why; noted: a step on the way.';
comment on column public.phone_provision_logs.duration_ms is 'From the commit of the change to the outcome; of a step: how long it took.';
create index phone_provision_logs_list_idx on public.phone_provision_logs (organization_id, created_at desc, id desc);
create index phone_provision_logs_number_idx on public.phone_provision_logs (phone_number_id, created_at) where phone_number_id is not null;
create index phone_provision_logs_open_idx on public.phone_provision_logs (organization_id) where status in ('pending', 'working');
create index phone_provision_logs_created_idx on public.phone_provision_logs (created_at);
create index phone_provision_logs_uncounted_idx on public.phone_provision_logs (created_at)
    where not counted and trigger_action in ('insert', 'update', 'search') and status in ('completed', 'skipped', 'failed', 'noted');
comment on column public.phone_provision_logs.counted is 'Whether its outcome is in timings, for /metrics.';

-- Numbers of people that proved to be theirs: what may be forwarded to, and called for a test.
create table public.verified_numbers (
    id uuid constraint verified_numbers_pkey primary key default gen_random_uuid(),
    organization_id uuid not null constraint verified_numbers_organization_fkey references public.organizations on delete cascade,
    user_id uuid,
    phone_number text not null constraint verified_numbers_number_check check (phone_number ~ '^\+[1-9][0-9]{6,14}$'),
    channel text not null default 'sms' constraint verified_numbers_channel_check check (channel in ('sms', 'call')),
    status text not null default 'pending' constraint verified_numbers_status_check check (status in ('pending', 'verified', 'expired', 'failed')),
    tries integer not null default 0,
    sent integer not null default 0,
    sent_at timestamptz,
    expires_at timestamptz,
    verified_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint verified_numbers_key unique (organization_id, phone_number)
);
comment on table public.verified_numbers is 'People''s own numbers, proved by a code that was sent to them.  The code is made from the row''s id with our key, and kept nowhere.';
create index verified_numbers_list_idx on public.verified_numbers (organization_id, created_at desc, id desc);

-- What goes over a number is counted by these; a call that no template says is said by an assistant.
create index calls_caller_number_idx on public.calls (caller_number_id, created_at) where caller_number_id is not null;
create index calls_phone_number_idx on public.calls (phone_number_id, created_at) where phone_number_id is not null;
alter table public.call_queue add column assistant_id uuid;
comment on column public.call_queue.assistant_id is 'Who says it where no template does: a test of a number.';

-- ---- text messages ---------------------------------------------------------

create table public.text_messages (
    id uuid constraint text_messages_pkey primary key default gen_random_uuid(),
    organization_id uuid constraint text_messages_organization_fkey references public.organizations on delete cascade,
    phone_number_id uuid constraint text_messages_number_fkey references public.phone_numbers on delete set null,
    direction text not null constraint text_messages_direction_check check (direction in ('inbound', 'outbound')),
    from_number text,
    to_number text,
    body text,
    provider text not null default 'twilio',
    provider_sid text,
    status text not null default 'queued',
    error_code text,
    segments integer,
    media jsonb not null default '[]',
    keyword text constraint text_messages_keyword_check check (keyword in ('stop', 'start', 'help')),
    run_id text,
    created_at timestamptz not null default now(),
    status_at timestamptz,
    updated_at timestamptz not null default now(),
    constraint text_messages_sid_key unique (provider, provider_sid)
);
comment on table public.text_messages is 'Text messages, in and out.';
comment on column public.text_messages.status is 'Twilio''s word: queued, sending, sent, delivered, undelivered, failed; received.';
create index text_messages_list_idx on public.text_messages (organization_id, created_at desc, id desc);
create index text_messages_number_idx on public.text_messages (phone_number_id, created_at desc) where phone_number_id is not null;
create index text_messages_run_idx on public.text_messages (run_id) where run_id is not null;

-- ---- what does not fit together ------------------------------------------------

create table public.number_differences (
    id uuid constraint number_differences_pkey primary key default gen_random_uuid(),
    provider text not null constraint number_differences_provider_check check (provider in ('twilio', 'vapi')),
    kind text not null,
    external_id text not null,
    phone_number text,
    phone_number_id uuid,
    organization_id uuid constraint number_differences_organization_fkey references public.organizations on delete cascade,
    ours jsonb,
    theirs jsonb,
    seen integer not null default 1,
    action text,
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    resolved_at timestamptz
);
comment on table public.number_differences is 'Where our numbers and assistants and those at Twilio and Vapi do not agree, found by the daily number-sweep; resolved_at: agreed again.';
comment on column public.number_differences.kind is 'orphan: we bought or made it, and nobody here owns it; stranger: we did not; lost: ours, and not there; drift: set otherwise than we set it; double.';
comment on column public.number_differences.action is
    'What was done by the last sweep that saw it: sync, made_anew, lost, released, refused; passed: not yet; doubted: not believed; null: nothing.';
create unique index number_differences_open_key on public.number_differences (provider, kind, external_id) where resolved_at is null;
create index number_differences_list_idx on public.number_differences (last_seen_at desc, id desc);

create table public.number_sweep_items (
    run_id text not null,
    list text not null,
    external_id text not null,
    phone_number text,
    item jsonb not null,
    constraint number_sweep_items_pkey primary key (run_id, list, external_id)
);
comment on table public.number_sweep_items is 'What a sweep under way has read of its lists; a list is compared when it is whole, and forgotten when the sweep ends.';

-- ---- figures ------------------------------------------------------------------

create unlogged table public.timings (
    kind text collate "C" not null,
    name text collate "C" not null,
    outcome text collate "C" not null default '',
    n bigint not null default 0,
    seconds double precision not null default 0,
    buckets bigint[] not null default '{}',
    constraint timings_pkey primary key (kind, name, outcome)
) with (fillfactor = 70);
comment on table public.timings is 'How often and how long: steps of workflows, requests to providers, requests to programs, questions to the database.  For /metrics; may be emptied at any time.';
comment on column public.timings.buckets is 'How many took at most 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60 seconds, each counted in the first that holds it, and beyond.';

-- ---- calls that come in -----------------------------------------------------------

alter domain public.webhook_signer drop constraint webhook_signer_check;
alter domain public.webhook_signer add constraint webhook_signer_check check (value in ('call', 'organization', 'installation', 'inbound'));
alter table public.call_assignments add column answer text;
comment on column public.call_assignments.answer is 'What Vapi was answered when it asked who takes an inbound call; empty: nobody; null: it did not ask.';

alter table public.workflows add column is_ready boolean not null default true;
comment on column public.workflows.is_ready is 'Whether a program that knows it has the settings that it needs.';

-- ---- triggers and rights --------------------------------------------------------

-- Declared here so that triggers can name them; their bodies are in sql/functions.
create function public.trigger_phone_provision() returns trigger language plpgsql as 'begin return new; end';
create function public.organization_phone_provision() returns trigger language plpgsql as 'begin return null; end';
create function public.workflow_phone_provision() returns trigger language plpgsql as 'begin return null; end';
create function public.assistant_changed() returns trigger language plpgsql as 'begin return new; end';
create function public.sms_run_ended() returns trigger language plpgsql as 'begin return null; end';
create function public.audit_assistant() returns trigger language plpgsql as 'begin return null; end';
create function public.audit_phone_number() returns trigger language plpgsql as 'begin return null; end';
create function public.audit_number_policy() returns trigger language plpgsql as 'begin return null; end';

create trigger subscription_phone_provision_trigger after insert or update on public.subscriptions
    for each row execute function public.trigger_phone_provision();
create trigger organizations_phone_provision after update of status, deleted_after on public.organizations
    for each row execute function public.organization_phone_provision();
create trigger workflows_phone_provision after update of is_ready on public.workflows
    for each row when (new.is_ready and not old.is_ready and new.name = 'phone-number') execute function public.workflow_phone_provision();
create trigger workflow_runs_sms after update of state on public.workflow_runs
    for each row when (new.workflow = 'sms' and new.state in ('failed', 'canceled')) execute function public.sms_run_ended();
create trigger assistants_changed before insert or update on public.assistants
    for each row execute function public.assistant_changed();
create trigger assistants_audit after insert or update on public.assistants
    for each row execute function public.audit_assistant();
create trigger phone_numbers_audit after insert or update of name, wanted, assistant_wanted_id, forward_to, forward_when, sms_mode, sms_forward_to
    on public.phone_numbers for each row execute function public.audit_phone_number();
create trigger number_policy_audit after update on public.number_policy
    for each row execute function public.audit_number_policy();
create trigger number_policy_touch before update on public.number_policy
    for each row execute function public.touch_updated_at();
create trigger verified_numbers_touch before update on public.verified_numbers
    for each row execute function public.touch_updated_at();
create trigger text_messages_touch before update on public.text_messages
    for each row execute function public.touch_updated_at();
create trigger phone_provision_logs_touch before update on public.phone_provision_logs
    for each row execute function public.touch_updated_at();

-- Rights, as in 0008_rights.sql.
do $$
declare
    t text;
begin
    foreach t in array array['number_policy', 'verified_numbers', 'text_messages', 'number_differences', 'timings'] loop
        execute format('alter table public.%I enable row level security', t);
        execute format('alter table public.%I force row level security', t);
        execute format('revoke all on public.%I from public, anon, authenticated', t);
        execute format('create policy %I on public.%I to hookswitch_pump using (true) with check (true)', t || '_pump', t);
        execute format('grant select, insert, update, delete on public.%I to hookswitch_pump', t);
        execute format('create policy %I on public.%I for select to hookswitch_operator using (true)', t || '_operator', t);
        execute format('grant select on public.%I to hookswitch_operator', t);
        execute format('create policy %I on public.%I for select to service_role using (true)', t || '_service', t);
        execute format('grant select on public.%I to service_role', t);
    end loop;
    foreach t in array array['verified_numbers', 'text_messages'] loop
        execute format('create policy %I on public.%I for select to hookswitch_api
                            using (organization_id = (select public.current_organization_id()))', t || '_organization', t);
        execute format('grant select on public.%I to hookswitch_api', t);
    end loop;
end
$$;
alter table public.number_sweep_items enable row level security;
alter table public.number_sweep_items force row level security;
revoke all on public.number_sweep_items from public, anon, authenticated;
create policy number_sweep_items_pump on public.number_sweep_items to hookswitch_pump using (true) with check (true);
grant select, insert, update, delete on public.number_sweep_items to hookswitch_pump;
revoke all on sequence public.phone_provision_responses from public, anon, authenticated;
grant usage, select on sequence public.phone_provision_responses to hookswitch_pump, service_role;

-- Listed columns for people: runs, versions and what is only the engine's stay hidden.
revoke select on public.phone_numbers, public.assistants from authenticated;
grant select (id, organization_id, user_id, assistant_id, provider_id, phone_number, provider, provider_sid, provider_number_id, e164_number,
              voice_number_id, country_code, area_code, capabilities, status, name, number_type, locality, region, origin, wanted, forward_to,
              forward_when, sms_mode, sms_forward_to, purchased_at, linked_at, paused_at, pause_reason, release_after, released_at, release_reason,
              created_at, updated_at)
    on public.phone_numbers to authenticated;
grant select (id, organization_id, template_id, name, system_prompt, variable_values, vapi_assistant_id, status, description, language, first_message,
              end_call_message, end_call_phrases, voicemail_message, model_provider, model_name, model_temperature, voice_provider, voice_id,
              voice_settings, transcriber_provider, transcriber_model, background_sound, silence_timeout_seconds, max_duration_seconds, functions,
              user_id, synced_at, created_at, updated_at)
    on public.assistants to authenticated;
