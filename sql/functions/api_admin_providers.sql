-- api_admin_providers.sql - /api/v1/admin/providers.  Run as hookswitch_operator.

create or replace function api.admin_provider_list(p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('admin_providers', p_after);
    with page as (
        select p, row_number() over (order by p.created_at, p.id) as i from public.call_service_providers p
         where v_after.id is null or (p.created_at, p.id) > (v_after.at, v_after.id::uuid)
         order by p.created_at, p.id limit p_limit + 1)
    select public.page_view('admin_providers', array_agg(public.admin_provider_view(g.p) order by g.i), array_agg((g.p).created_at order by g.i),
                            array_agg((g.p).id::text order by g.i), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

create or replace function api.admin_provider_get(p_provider_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.admin_provider_view(public.admin_provider_of(p_provider_id));
end
$$;

create or replace function api.admin_provider_health(p_provider_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.admin_provider_health(public.admin_provider_of(p_provider_id));
end
$$;

create or replace function api.admin_provider_create(
    p_name text, p_provider_type text, p_base_url text default null, p_is_active boolean default null, p_priority integer default null,
    p_max_concurrent_calls integer default null, p_starts_per_second numeric default null, p_timeout_ms integer default null,
    p_silence_seconds double precision default null, p_report_grace_seconds double precision default null,
    p_report_patience_seconds double precision default null, p_absence_gap_seconds double precision default null,
    p_absence_after_seconds double precision default null, p_absence_slack_seconds double precision default null,
    p_unknown_patience_seconds double precision default null, p_cool_seconds double precision default null,
    p_retry_scale double precision default null) returns jsonb
    language plpgsql set search_path = '' as $$
declare
    v_id uuid := public.admin_provider_make(p_name, p_provider_type, p_base_url);
begin
    perform public.admin_provider_write(v_id, jsonb_strip_nulls(jsonb_build_object(
        'base_url', p_base_url, 'is_active', p_is_active, 'priority', p_priority, 'max_concurrent_calls', p_max_concurrent_calls,
        'starts_per_second', p_starts_per_second, 'timeout_ms', p_timeout_ms, 'silence_seconds', p_silence_seconds,
        'report_grace_seconds', p_report_grace_seconds, 'report_patience_seconds', p_report_patience_seconds,
        'absence_gap_seconds', p_absence_gap_seconds, 'absence_after_seconds', p_absence_after_seconds,
        'absence_slack_seconds', p_absence_slack_seconds, 'unknown_patience_seconds', p_unknown_patience_seconds, 'cool_seconds', p_cool_seconds,
        'retry_scale', p_retry_scale)));
    return api.admin_provider_get(v_id);
end
$$;

create or replace function api.admin_provider_update(p_provider_id uuid, p_changes jsonb) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.admin_provider_write(p_provider_id, p_changes);
    return api.admin_provider_get(p_provider_id);
end
$$;

create or replace function api.admin_provider_delete(p_provider_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.admin_provider_remove(p_provider_id);
    return null;
end
$$;

create or replace function api.admin_provider_pause(p_provider_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.admin_provider_state(p_provider_id, false, false);
    return api.admin_provider_get(p_provider_id);
end
$$;

create or replace function api.admin_provider_drain(p_provider_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.admin_provider_state(p_provider_id, null, true);
    return api.admin_provider_get(p_provider_id);
end
$$;

create or replace function api.admin_provider_resume(p_provider_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.admin_provider_state(p_provider_id, true, false);
    return api.admin_provider_get(p_provider_id);
end
$$;

-- The account as the program needs it to ask the provider; its key comes sealed, and goes no further.
create or replace function api.admin_provider_account(p_provider_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.admin_provider_account(p_provider_id);
end
$$;

create or replace function api.admin_provider_key(p_provider_id uuid, p_number integer, p_sealed text, p_hint text, p_fingerprint text) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.admin_provider_key(p_provider_id, p_number, p_sealed, p_hint, p_fingerprint);
    return api.admin_provider_get(p_provider_id);
end
$$;
