-- 0003_catalogue.sql - what calls are made of: plans, providers, voices, templates, assistants, numbers.

create table public.subscription_plans (
    id uuid constraint subscription_plans_pkey primary key default gen_random_uuid(),
    name text not null constraint subscription_plans_name_key unique,
    description text,
    price numeric(10, 2) not null constraint subscription_plans_price_check check (price >= 0),
    "interval" text not null default 'monthly' constraint subscription_plans_interval_check check ("interval" in ('monthly', 'yearly')),
    features jsonb not null default '[]',
    call_limit integer,
    minutes_limit integer,
    stripe_price_id text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table public.subscription_plans is 'Plans on sale.  A null limit is no limit.';

insert into public.subscription_plans (name, description, price, features, call_limit, minutes_limit) values
    ('free', 'To try it out.', 0, '["25 calls a month"]', 25, 60),
    ('basic', 'For one line.', 29, '["500 calls a month", "one phone number"]', 500, 1000),
    ('business', 'For a team.', 99, '["2,500 calls a month", "five phone numbers"]', 2500, 5000),
    ('enterprise', 'By agreement.', 499, '["no limit on calls"]', null, null);

create table public.subscriptions (
    id uuid constraint subscriptions_pkey primary key default gen_random_uuid(),
    organization_id uuid not null constraint subscriptions_organization_fkey references public.organizations on delete cascade,
    user_id uuid,
    plan_id uuid constraint subscriptions_plan_fkey references public.subscription_plans,
    tier_type text not null default 'free',
    status text not null default 'active' constraint subscriptions_status_check
        check (status in ('active', 'canceled', 'past_due', 'trialing', 'paused', 'incomplete', 'unknown')),
    current boolean not null default true,
    origin text not null default 'manual' constraint subscriptions_origin_check check (origin in ('manual', 'stripe', 'paddle')),
    external_id text,
    current_period_start timestamptz not null default now(),
    current_period_end timestamptz not null default now() + interval '1 month',
    cancel_at_period_end boolean not null default false,
    payment_method jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table public.subscriptions is 'An organization''s subscription, whoever takes the money.';
create unique index subscriptions_current_key on public.subscriptions (organization_id) where current;

create table public.billing_events (
    id uuid constraint billing_events_pkey primary key default gen_random_uuid(),
    organization_id uuid not null constraint billing_events_organization_fkey references public.organizations on delete cascade,
    event_type text not null,
    stripe_event_id text constraint billing_events_stripe_event_id_key unique,
    stripe_invoice_id text,
    amount_cents bigint,
    metadata jsonb not null default '{}',
    created_at timestamptz not null default now()
);
comment on table public.billing_events is 'Money events, append-only.';

create table public.call_service_providers (
    id uuid constraint call_service_providers_pkey primary key default gen_random_uuid(),
    name text not null,
    provider_type text not null,
    type text not null default 'voice',
    api_key text,
    api_secret text,
    api_credentials jsonb,
    base_url text,
    max_concurrent_calls integer not null default 10 constraint call_service_providers_max_check check (max_concurrent_calls >= 0),
    concurrency_limit integer,
    priority integer not null default 5,
    starts_per_second numeric constraint call_service_providers_starts_check check (starts_per_second > 0),
    capabilities jsonb not null default '{}',
    is_active boolean not null default true,
    is_draining boolean not null default false,
    timeout_ms integer,
    silence_seconds double precision not null default 120,
    report_grace_seconds double precision not null default 20,
    report_patience_seconds double precision not null default 600,
    absence_gap_seconds double precision not null default 60,
    absence_after_seconds double precision not null default 120,
    absence_slack_seconds double precision not null default 300,
    unknown_patience_seconds double precision not null default 86400,
    cool_seconds double precision not null default 2,
    retry_scale double precision not null default 1,
    failures integer not null default 0,
    cooling_until timestamptz,
    cooling_reason text,
    last_error text,
    last_error_at timestamptz,
    last_accepted_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table public.call_service_providers is 'Accounts at voice providers.  Keys are sealed at the pump''s next turn.';
comment on column public.call_service_providers.provider_type is 'vapi or synthflow.';
comment on column public.call_service_providers.api_key is 'The account''s key.  Written plain by hand, it is sealed at the pump''s next turn; null: the setting VAPI_API_KEY or SYNTHFLOW_API_KEY.';
comment on column public.call_service_providers.api_credentials is 'The same keys as an object, under their other name; a trigger keeps both alike.';
comment on column public.call_service_providers.base_url is 'Where its API is; the settings VAPI_BASE_URL and SYNTHFLOW_BASE_URL win; null: the provider''s own.';
comment on column public.call_service_providers.max_concurrent_calls is 'Live calls at once at most, counted from live attempts.';
comment on column public.call_service_providers.is_active is 'Off: nothing new is dialled there; calls under way go to their end.';
comment on column public.call_service_providers.is_draining is 'On: as if it were not active, for a while.';
comment on column public.call_service_providers.timeout_ms is 'How long it may take to answer a request; null: HOOKSWITCH_DIAL_TIMEOUT_MS.';
comment on column public.call_service_providers.cooling_until is 'It refused for its own reasons and rests until then.';
comment on column public.call_service_providers.concurrency_limit is 'The same as max_concurrent_calls, under its other name; a trigger keeps both alike.';
comment on column public.call_service_providers.priority is 'A smaller number is asked first.';
comment on column public.call_service_providers.starts_per_second is 'Dials begun in any second at most; null: no limit.';
comment on column public.call_service_providers.silence_seconds is 'A live call that was not heard of for so long is looked up.';
comment on column public.call_service_providers.report_grace_seconds is 'An ended call whose report has not come after this time is looked up.';
comment on column public.call_service_providers.report_patience_seconds is 'After this time without any report an ended call is closed with what is known.';
comment on column public.call_service_providers.absence_gap_seconds is 'Two listings that prove absence are at least so far apart.';
comment on column public.call_service_providers.absence_after_seconds is 'The later of them begins at least so long after the attempt''s deadline.';
comment on column public.call_service_providers.absence_slack_seconds is 'Listings go back so far before the attempt''s start (clocks differ).';
comment on column public.call_service_providers.unknown_patience_seconds is 'An attempt unknown for longer fails as outcome_unknown and is not dialled again.';
comment on column public.call_service_providers.cool_seconds is 'First pause after a refusal; doubles with each further one, to 60 s.';
comment on column public.call_service_providers.retry_scale is 'Multiplies the waits between redials; rehearsals set it small.';
comment on column public.call_service_providers.failures is 'Refusals in a row.';

create table public.provider_availability (
    provider_id uuid constraint provider_availability_pkey primary key
        constraint provider_availability_provider_fkey references public.call_service_providers on delete cascade,
    current_calls integer not null default 0,
    available_slots integer,
    status text not null default 'online',
    last_checked_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table public.provider_availability is 'Accepted and shown, never counted on: capacity is counted from live assignments.';

create table public.voice_options (
    id uuid constraint voice_options_pkey primary key default gen_random_uuid(),
    voice_id text not null,
    provider_id uuid constraint voice_options_provider_fkey references public.call_service_providers on delete cascade,
    voice_provider text not null default 'vapi',
    language text not null default 'en',
    name text not null,
    preview_url text,
    is_active boolean not null default true,
    created_at timestamptz not null default now()
);
comment on table public.voice_options is 'Voices that a call may be said with.';
comment on column public.voice_options.voice_provider is 'The maker of the voice, as Vapi names it (vapi, 11labs, ...).';

create table public.templates (
    id uuid constraint templates_pkey primary key default gen_random_uuid(),
    slug text constraint templates_slug_key unique,
    name text not null,
    system_prompt text not null default '',
    model_provider text,
    model_name text,
    voice_provider text,
    voice_id text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table public.templates is 'What an assistant is made from.';

create table public.assistants (
    id uuid constraint assistants_pkey primary key default gen_random_uuid(),
    organization_id uuid not null constraint assistants_organization_fkey references public.organizations on delete cascade,
    template_id uuid constraint assistants_template_fkey references public.templates,
    name text not null,
    system_prompt text,
    variable_values jsonb not null default '{}',
    vapi_assistant_id text,
    status text not null default 'active',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table public.assistants is 'AI assistants of an organization.';
create index assistants_organization_idx on public.assistants (organization_id);

create table public.phone_numbers (
    id uuid constraint phone_numbers_pkey primary key default gen_random_uuid(),
    organization_id uuid not null constraint phone_numbers_organization_fkey references public.organizations on delete cascade,
    user_id uuid,
    assistant_id uuid constraint phone_numbers_assistant_fkey references public.assistants on delete set null,
    provider_id uuid constraint phone_numbers_provider_fkey references public.call_service_providers on delete set null,
    phone_number text not null constraint phone_numbers_number_check check (phone_number ~ '^\+[1-9][0-9]{6,14}$'),
    provider text not null default 'twilio',
    provider_sid text,
    provider_number_id text generated always as (provider_sid) stored,
    e164_number text generated always as (phone_number) stored,
    voice_number_id text,
    country_code text,
    area_code text,
    capabilities jsonb not null default '{}',
    status text not null default 'active',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table public.phone_numbers is 'Numbers of organizations.';
comment on column public.phone_numbers.voice_number_id is 'The number''s id at the voice provider (Vapi''s phoneNumberId).';
create index phone_numbers_organization_idx on public.phone_numbers (organization_id);

create table public.phone_provision_logs (
    id uuid constraint phone_provision_logs_pkey primary key default gen_random_uuid(),
    organization_id uuid constraint phone_provision_logs_organization_fkey references public.organizations on delete cascade,
    user_id uuid,
    trigger_action text,
    response_id bigint,
    status text not null default 'pending',
    error_message text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table public.phone_provision_logs is 'Each decision and outcome of giving numbers to people.';

create table public.call_templates (
    id uuid constraint call_templates_pkey primary key default gen_random_uuid(),
    organization_id uuid constraint call_templates_organization_fkey references public.organizations on delete cascade,
    name text not null,
    description text,
    category text,
    tags jsonb not null default '[]',
    is_public boolean not null default false,
    created_by uuid,
    provider_id uuid constraint call_templates_provider_fkey references public.call_service_providers on delete set null,
    assistant_id text,
    params jsonb not null default '{}',
    params_order jsonb not null default '[]',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table public.call_templates is 'What an outbound call says.';
comment on column public.call_templates.params is
    'Declared variables and settings: {"required":["name",...], "assistant_id":"...", "voicemail":"accept"} and what else the author keeps there.';
create index call_templates_organization_idx on public.call_templates (organization_id);

create table public.call_template_targets (
    template_id uuid not null constraint call_template_targets_template_fkey references public.call_templates on delete cascade,
    provider_type text not null,
    assistant text not null,
    caller_number text,
    constraint call_template_targets_pkey primary key (template_id, provider_type)
);
comment on table public.call_template_targets is 'Where a template can be said: for each kind of provider the assistant (Vapi) or model (SynthFlow), and the caller''s number there.';

create table public.template_favorites (
    user_id uuid not null,
    template_id uuid not null constraint template_favorites_template_fkey references public.call_templates on delete cascade,
    created_at timestamptz not null default now(),
    constraint template_favorites_pkey primary key (user_id, template_id)
);
comment on table public.template_favorites is 'Templates that a person likes.';
create index template_favorites_template_idx on public.template_favorites (template_id);

create trigger call_service_providers_fill before insert or update on public.call_service_providers
    for each row execute function public.provider_fill();
create trigger call_service_providers_keep before delete on public.call_service_providers
    for each row execute function public.provider_keep();
create trigger call_templates_targets after insert or update of provider_id, assistant_id, params on public.call_templates
    for each row execute function public.template_targets_fill();
create trigger call_template_targets_routes after insert or update or delete on public.call_template_targets
    for each row execute function public.template_routes_refresh();
create trigger subscription_plans_touch before update on public.subscription_plans
    for each row execute function public.touch_updated_at();
create trigger subscriptions_touch before update on public.subscriptions
    for each row execute function public.touch_updated_at();
create trigger provider_availability_touch before update on public.provider_availability
    for each row execute function public.touch_updated_at();
create trigger templates_touch before update on public.templates
    for each row execute function public.touch_updated_at();
create trigger assistants_touch before update on public.assistants
    for each row execute function public.touch_updated_at();
create trigger phone_numbers_touch before update on public.phone_numbers
    for each row execute function public.touch_updated_at();
create trigger call_templates_touch before update on public.call_templates
    for each row execute function public.touch_updated_at();
