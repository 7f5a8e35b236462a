-- 36_provision.sql - numbers that come and go with a subscription by themselves: what its trigger writes, what is decided, and the log of it.

-- Writes one line of the log.  p: subscription_id, tier_type, subscription_status, phone_number_id, user_id, run_id, step, reason, error_message,
-- detail, began_at, finished_at, duration_ms; all optional.
create or replace function public.number_log(p_organization uuid, p_action text, p_status text, p jsonb default '{}') returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    v_id uuid;
begin
    insert into public.phone_provision_logs (organization_id, trigger_action, status, user_id, subscription_id, tier_type, subscription_status,
                                             phone_number_id, run_id, step, reason, error_message, detail, began_at, finished_at, duration_ms)
    values (p_organization, p_action, p_status, (p ->> 'user_id')::uuid, (p ->> 'subscription_id')::uuid, p ->> 'tier_type',
            p ->> 'subscription_status', (p ->> 'phone_number_id')::uuid, p ->> 'run_id', p ->> 'step', p ->> 'reason', left(p ->> 'error_message', 500),
            coalesce(p -> 'detail', '{}'), (p ->> 'began_at')::timestamptz, (p ->> 'finished_at')::timestamptz, (p ->> 'duration_ms')::bigint)
    returning id into v_id;
    return v_id;
end
$$;

create or replace function public.trigger_phone_provision() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    return new;
end
$$;

create or replace function public.organization_phone_provision() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    return null;
end
$$;

create or replace function public.audit_number_policy() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    return null;
end
$$;
