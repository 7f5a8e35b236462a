-- 0002_people.sql - people, organizations, keys.

create table public.organizations (
    id uuid constraint organizations_pkey primary key default gen_random_uuid(),
    name text not null constraint organizations_name_check check (length(name) between 1 and 200),
    personal_of uuid constraint organizations_personal_of_key unique,
    status text not null default 'active' constraint organizations_status_check
        check (status in ('active', 'past_due', 'read_only', 'suspended', 'canceled', 'disabled')),
    settings jsonb not null default '{}' constraint organizations_settings_check check (jsonb_typeof(settings) = 'object'),
    max_concurrent_calls integer constraint organizations_max_concurrent_calls_check check (max_concurrent_calls >= 0),
    stripe_customer_id text constraint organizations_stripe_customer_id_key unique,
    stripe_subscription_id text,
    current_period_start timestamptz,
    current_period_end timestamptz,
    current_period_minutes_used integer not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table public.organizations is 'The tenant.  Every person has a personal one.';
comment on column public.organizations.max_concurrent_calls is 'Live calls at once at most; null: only the providers'' limits hold.';
comment on column public.organizations.settings is
    'notifications, transfer_numbers, calling_hours {"start":"09:00","end":"20:00","timezone":"America/New_York","days":[1,2,3,4,5]} (ISO days of the week).';

create table public.organization_members (
    organization_id uuid not null constraint organization_members_organization_fkey references public.organizations on delete cascade,
    user_id uuid not null,
    role text not null default 'member' constraint organization_members_role_check check (role in ('owner', 'admin', 'member', 'viewer')),
    is_default boolean not null default false,
    created_at timestamptz not null default now(),
    constraint organization_members_pkey primary key (organization_id, user_id)
);
comment on table public.organization_members is 'Who belongs to which organization, and as what.';
comment on column public.organization_members.user_id is 'auth.users.id; no foreign key, since auth may belong to Supabase and tokens are believed before its row is seen.';
create index organization_members_user_idx on public.organization_members (user_id);
create unique index organization_members_default_key on public.organization_members (user_id) where is_default;

create table public.user_profiles (
    id uuid constraint user_profiles_pkey primary key,
    first_name text,
    last_name text,
    phone_number text,
    email text,
    address jsonb,
    preferences jsonb,
    city text,
    state text,
    paddle_customer_id text,
    status text not null default 'inactive' constraint user_profiles_status_check check (status in ('active', 'inactive')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table public.user_profiles is 'What a person tells about himself; id is auth.users.id.';

create table public.user_settings (
    user_id uuid constraint user_settings_pkey primary key,
    vapi_assistant_id text,
    assistant_provisioning_status text,
    voice_preferences jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table public.user_settings is 'A person''s working settings, and how far provisioning has come.';

create table public.api_keys (
    id uuid constraint api_keys_pkey primary key default gen_random_uuid(),
    organization_id uuid not null constraint api_keys_organization_fkey references public.organizations on delete cascade,
    created_by uuid,
    name text not null constraint api_keys_name_check check (length(name) between 1 and 100),
    prefix text not null,
    key_hash text not null constraint api_keys_key_hash_key unique
        constraint api_keys_key_hash_check check (key_hash ~ '^[0-9a-f]{64}$'),
    scopes text[] not null default '{}',
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    created_at timestamptz not null default now()
);
comment on table public.api_keys is 'Keys of programs.  Only the SHA-256 of a key is kept; it is shown once.';
comment on column public.api_keys.scopes is 'e.g. calls:read, calls:write; ''*'' is all.';
create index api_keys_organization_idx on public.api_keys (organization_id);

create table public.idempotency_keys (
    organization_id uuid not null constraint idempotency_keys_organization_fkey references public.organizations on delete cascade,
    key text not null constraint idempotency_keys_key_check check (length(key) between 1 and 255),
    fingerprint text not null,
    status integer not null,
    body text not null,
    created_at timestamptz not null default now(),
    constraint idempotency_keys_pkey primary key (organization_id, key)
);
comment on table public.idempotency_keys is 'The first committed answer to each Idempotency-Key, kept for 24 hours.';
create index idempotency_keys_created_idx on public.idempotency_keys (created_at);

create trigger organizations_touch before update on public.organizations
    for each row execute function public.touch_updated_at();
create trigger user_profiles_touch before update on public.user_profiles
    for each row execute function public.touch_updated_at();
create trigger user_settings_touch before update on public.user_settings
    for each row execute function public.touch_updated_at();
