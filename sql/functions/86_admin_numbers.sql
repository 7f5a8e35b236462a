-- 86_admin_numbers.sql - operators: how numbers are given by themselves, all numbers, what was decided and done, what does not fit together.

-- ---- the policy -----------------------------------------------------------------

-- ready: whether numbers can be bought here at all.
create or replace function public.admin_number_policy_view() returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    perform public.operator_needed();
    return (select jsonb_build_object(
                'enabled', k.enabled, 'ready', public.numbers_ready(), 'share_percent', k.share_percent, 'organizations', to_jsonb(k.organizations),
                'country_code', k.country_code, 'number_type', k.number_type, 'near_owner', k.near_owner, 'template_slug', k.template_slug,
                'grace_days', k.grace_days, 'paused_days', k.paused_days, 'rest_days', k.rest_days, 'orphans', k.orphans, 'drift', k.drift,
                'updated_at', public.time_view(k.updated_at))
              from public.number_policy k);
end
$$;

-- p_changes: fields by name; what is not in it stays.  Who gets a number by it is found by a run (audit_number_policy).
create or replace function public.admin_number_policy_write(p_changes jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    k public.number_policy;
begin
    perform public.operator_needed();
    select * into k from public.number_policy for update;
    k := jsonb_populate_record(k, p_changes - '{id,updated_at}'::text[]);
    if k.country_code !~ '^[A-Z]{2}$' then
        perform public.refuse_field('country_invalid', 'country_code', 'Two great letters: US, GB.');
    elsif k.template_slug is not null and not exists (select from public.templates t where t.slug = k.template_slug and t.is_active) then
        raise exception 'assistant_template_not_found' using errcode = 'PT404', hint = 'template_slug';
    end if;
    update public.number_policy x
       set enabled = k.enabled, share_percent = k.share_percent, organizations = array(select distinct u from unnest(k.organizations) u order by u),
           country_code = k.country_code, number_type = k.number_type, near_owner = k.near_owner, template_slug = k.template_slug,
           grace_days = k.grace_days, paused_days = k.paused_days, rest_days = k.rest_days, orphans = k.orphans, drift = k.drift
     where (x.enabled, x.share_percent, x.organizations, x.country_code, x.number_type, x.near_owner, x.template_slug, x.grace_days, x.paused_days,
            x.rest_days, x.orphans, x.drift)
        is distinct from (k.enabled, k.share_percent, k.organizations, k.country_code, k.number_type, k.near_owner, k.template_slug, k.grace_days,
                          k.paused_days, k.rest_days, k.orphans, k.drift);
end
$$;

-- ---- numbers ---------------------------------------------------------------------

create or replace function public.admin_number_view(n public.phone_numbers) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', n.id, 'organization_id', n.organization_id, 'user_id', n.user_id, 'phone_number', n.phone_number, 'name', n.name, 'status', n.status,
        'wanted', n.wanted, 'origin', n.origin, 'number_type', n.number_type, 'country_code', n.country_code, 'area_code', n.area_code,
        'locality', n.locality, 'region', n.region, 'assistant_id', n.assistant_id, 'provider_sid', n.provider_sid, 'voice_number_id', n.voice_number_id,
        'searches', n.searches, 'tried', cardinality(n.tried), 'run_id', n.run_id, 'last_error', n.last_error,
        'purchased_at', public.time_view(n.purchased_at), 'linked_at', public.time_view(n.linked_at), 'paused_at', public.time_view(n.paused_at),
        'pause_reason', n.pause_reason, 'release_after', public.time_view(n.release_after), 'released_at', public.time_view(n.released_at),
        'release_reason', n.release_reason, 'rests_until', public.time_view(n.rests_until), 'created_at', public.time_view(n.created_at),
        'updated_at', public.time_view(n.updated_at));
end
$$;

-- Gives one back.  One that is over already stays as it is.
create or replace function public.admin_number_release(p_number uuid) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers;
begin
    perform public.operator_needed();
    select * into n from public.phone_numbers x where x.id = p_number for update;
    if not found then
        raise exception 'number_not_found' using errcode = 'PT404';
    elsif n.status not in ('failed', 'released', 'lost') then
        perform public.number_want(n.id, 'released', 'operator'); -- a trigger writes it into the audit log
    end if;
end
$$;

-- ---- what was decided and done -----------------------------------------------------

create or replace function public.admin_number_log_view(l public.phone_provision_logs) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', l.id, 'organization_id', l.organization_id, 'user_id', l.user_id, 'subscription_id', l.subscription_id, 'tier_type', l.tier_type,
        'subscription_status', l.subscription_status, 'trigger_action', l.trigger_action, 'response_id', l.response_id, 'status', l.status,
        'reason', l.reason, 'error_message', l.error_message, 'phone_number_id', l.phone_number_id, 'run_id', l.run_id, 'step', l.step,
        'detail', l.detail, 'duration_ms', l.duration_ms, 'began_at', public.time_view(l.began_at), 'finished_at', public.time_view(l.finished_at),
        'created_at', public.time_view(l.created_at));
end
$$;

create or replace function public.admin_number_difference_view(d public.number_differences) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', d.id, 'provider', d.provider, 'kind', d.kind, 'external_id', d.external_id, 'phone_number', d.phone_number,
        'phone_number_id', d.phone_number_id, 'organization_id', d.organization_id, 'ours', d.ours, 'theirs', d.theirs, 'seen', d.seen, 'action', d.action,
        'first_seen_at', public.time_view(d.first_seen_at), 'last_seen_at', public.time_view(d.last_seen_at), 'resolved_at', public.time_view(d.resolved_at));
end
$$;
