-- 86_admin_providers.sql - operators: accounts at voice providers.  A key is sealed by the program before it comes here, and never leaves: what is
-- shown of it is what it can be told by.

create or replace function public.admin_provider_view(p public.call_service_providers) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', p.id, 'name', p.name, 'provider_type', p.provider_type, 'base_url', p.base_url, 'is_active', p.is_active, 'is_draining', p.is_draining,
        'priority', p.priority, 'max_concurrent_calls', p.max_concurrent_calls, 'starts_per_second', p.starts_per_second, 'timeout_ms', p.timeout_ms,
        'silence_seconds', p.silence_seconds, 'report_grace_seconds', p.report_grace_seconds, 'report_patience_seconds', p.report_patience_seconds,
        'absence_gap_seconds', p.absence_gap_seconds, 'absence_after_seconds', p.absence_after_seconds,
        'absence_slack_seconds', p.absence_slack_seconds, 'unknown_patience_seconds', p.unknown_patience_seconds, 'cool_seconds', p.cool_seconds,
        'retry_scale', p.retry_scale, 'has_key', p.api_key is not null, 'key_number', p.key_number, 'key_hint', p.key_hint,
        'key_fingerprint', p.key_fingerprint, 'key_changed_at', public.time_view(p.key_changed_at), 'created_at', public.time_view(p.created_at));
end
$$;

create or replace function public.admin_provider_of(p_provider uuid) returns public.call_service_providers
    language plpgsql stable set search_path = '' as $$
declare
    p public.call_service_providers;
begin
    select * into p from public.call_service_providers x where x.id = p_provider;
    if not found then
        raise exception 'provider_not_found' using errcode = 'PT404';
    end if;
    return p;
end
$$;

-- How it is: apart from what it is set to, so that looking at a provider does not change with each call.
create or replace function public.admin_provider_health(p public.call_service_providers) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'provider_id', p.id,
        'state', case when not p.is_active then 'paused' when p.is_draining then 'draining' when p.cooling_until > clock_timestamp() then 'cooling'
                      else 'active' end,
        'failures', p.failures, 'cooling_until', case when p.cooling_until > clock_timestamp() then public.time_view(p.cooling_until) end,
        'cooling_reason', p.cooling_reason, 'last_error', public.admin_words(p.last_error), 'last_error_at', public.time_view(p.last_error_at),
        'last_accepted_at', public.time_view(p.last_accepted_at),
        'free', coalesce((select f.free from public.providers_free() f where f.id = p.id), 0),
        'live', (select count(*) from public.call_assignments a where a.provider_id = p.id and a.state in ('leased', 'sent', 'accepted', 'unknown')),
        'unknown', (select count(*) from public.call_assignments a where a.provider_id = p.id and a.state = 'unknown'),
        'reports_awaited', (select count(*) from public.call_assignments a
                             where a.provider_id = p.id and a.state = 'ended' and a.finished_at is null and a.next_look_at is not null),
        'last_hour', (select jsonb_build_object('started', count(*), 'accepted', count(*) filter (where a.accepted_at is not null),
                                                'refused', count(*) filter (where a.state = 'refused'),
                                                'unknown', count(*) filter (where a.state = 'unknown'),
                                                'absent', count(*) filter (where a.state = 'absent'))
                        from public.call_assignments a where a.provider_id = p.id and a.created_at > statement_timestamp() - interval '1 hour'));
end
$$;

-- ---- changes -----------------------------------------------------------------

-- What the columns may hold goes beyond what a field's table can say.  The key goes wherever base_url says: in clear only within this host.
create or replace function public.admin_provider_check(p_type text, p_url text) returns void
    language plpgsql stable set search_path = '' as $$
begin
    if p_type not in ('vapi', 'synthflow') then
        perform public.refuse_field('provider_type_unknown', 'provider_type', 'There are vapi and synthflow.');
    elsif p_url !~ '^(https://[A-Za-z0-9._:\[\]-]+|http://(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?)(/[^[:space:]?#\\]*)?$' then
        perform public.refuse_field('url_invalid', 'base_url', 'It begins with https:// and names a host; http:// is for this host alone.');
    end if;
end
$$;

-- p_changes: columns by name.  Null clears base_url, starts_per_second and timeout_ms.
create or replace function public.admin_provider_write(p_provider uuid, p_changes jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    p public.call_service_providers;
    v_row public.call_service_providers;
begin
    perform public.operator_needed();
    select * into p from public.call_service_providers x where x.id = p_provider for no key update;
    if not found then
        raise exception 'provider_not_found' using errcode = 'PT404';
    end if;
    perform public.admin_provider_check(p.provider_type, p_changes ->> 'base_url');
    v_row := jsonb_populate_record(p, p_changes);
    update public.call_service_providers x
       set name = v_row.name, base_url = v_row.base_url, is_active = v_row.is_active, priority = v_row.priority,
           max_concurrent_calls = v_row.max_concurrent_calls, starts_per_second = v_row.starts_per_second, timeout_ms = v_row.timeout_ms,
           silence_seconds = v_row.silence_seconds, report_grace_seconds = v_row.report_grace_seconds,
           report_patience_seconds = v_row.report_patience_seconds, absence_gap_seconds = v_row.absence_gap_seconds,
           absence_after_seconds = v_row.absence_after_seconds, absence_slack_seconds = v_row.absence_slack_seconds,
           unknown_patience_seconds = v_row.unknown_patience_seconds, cool_seconds = v_row.cool_seconds, retry_scale = v_row.retry_scale
     where x.id = p.id;
end
$$;

create or replace function public.admin_provider_make(p_name text, p_type text, p_url text) returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    v_id uuid;
begin
    perform public.operator_needed();
    perform public.admin_provider_check(p_type, p_url);
    insert into public.call_service_providers (name, provider_type, is_active) values (p_name, p_type, false) returning id into v_id;
    return v_id;
end
$$;

-- The trigger refuses one with calls under way.  Those that wait for it alone find another provider, as its rows let go of it.
create or replace function public.admin_provider_remove(p_provider uuid) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.operator_needed();
    perform from public.call_service_providers x where x.id = p_provider for update;
    if not found then
        raise exception 'provider_not_found' using errcode = 'PT404';
    end if;
    delete from public.call_service_providers x where x.id = p_provider;
end
$$;

-- Pause, drain, resume.  Live calls go to their end in any case; one that is resumed is thought well.
create or replace function public.admin_provider_state(p_provider uuid, p_active boolean, p_draining boolean) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.operator_needed();
    update public.call_service_providers x
       set is_active = coalesce(p_active, x.is_active), is_draining = p_draining
     where x.id = p_provider;
    if not found then
        raise exception 'provider_not_found' using errcode = 'PT404';
    end if;
    if p_active and not p_draining then
        update public.call_service_providers x set failures = 0, cooling_until = null, cooling_reason = null where x.id = p_provider;
    end if;
end
$$;

-- What is needed to try a key: where, and which one it would replace.
create or replace function public.admin_provider_account(p_provider uuid) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    p public.call_service_providers;
begin
    perform public.operator_needed();
    p := public.admin_provider_of(p_provider);
    return jsonb_build_object('provider_type', p.provider_type, 'base_url', p.base_url, 'api_key', p.api_key, 'timeout_ms', p.timeout_ms,
                              'key_number', p.key_number);
end
$$;

-- A key that was proved takes the other one's place, in one statement.  p_number: of the key that was there when it was tried; another one
-- means that somebody else was faster.  If the old one was refused, that is over.
create or replace function public.admin_provider_key(p_provider uuid, p_number integer, p_sealed text, p_hint text, p_fingerprint text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.operator_needed();
    if p_sealed !~ '^sealed:' then
        raise exception 'internal' using errcode = 'PT500', detail = 'A key comes sealed.';
    end if;
    update public.call_service_providers x
       set api_key = p_sealed, key_hint = p_hint, key_fingerprint = p_fingerprint, key_number = x.key_number + 1, key_changed_at = now(),
           failures = case when x.cooling_reason = 'key' then 0 else x.failures end,
           cooling_until = case when x.cooling_reason = 'key' then null else x.cooling_until end,
           cooling_reason = nullif(x.cooling_reason, 'key')
     where x.id = p_provider and x.key_number = p_number;
    if not found then
        perform public.admin_provider_of(p_provider);
        raise exception 'provider_key_changed' using errcode = 'PT409';
    end if;
end
$$;
