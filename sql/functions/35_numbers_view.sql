-- 35_numbers_view.sql - what phone numbers, people's own numbers and lines of their log look like outside.

create or replace function public.number_view(n public.phone_numbers) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', n.id, 'organization_id', n.organization_id, 'phone_number', n.phone_number, 'name', n.name, 'status', n.status, 'wanted', n.wanted,
        'origin', n.origin, 'number_type', n.number_type, 'country_code', n.country_code, 'area_code', n.area_code, 'locality', n.locality,
        'region', n.region, 'capabilities', public.number_capabilities(n.capabilities), 'assistant_id', public.number_assistant(n), 'forward_to', n.forward_to,
        'forward_when', n.forward_when, 'sms_mode', n.sms_mode, 'sms_forward_to', n.sms_forward_to, 'provider_sid', n.provider_sid,
        'voice_number_id', n.voice_number_id, 'purchased_at', public.time_view(n.purchased_at), 'linked_at', public.time_view(n.linked_at),
        'paused_at', public.time_view(n.paused_at), 'pause_reason', n.pause_reason)
        || jsonb_build_object(
        'release_after', public.time_view(n.release_after), 'released_at', public.time_view(n.released_at), 'release_reason', n.release_reason,
        'last_error', n.last_error, 'created_at', public.time_view(n.created_at), 'updated_at', public.time_view(n.updated_at));
end
$$;

-- What a number takes.  Twilio writes the names in small letters or in capitals, and others that are nothing to us.
create or replace function public.number_capabilities(p_capabilities jsonb) returns jsonb
    language sql immutable set search_path = '' as $$
    select coalesce(jsonb_object_agg(lower(c.key), c.value), '{}')
      from jsonb_each(case when jsonb_typeof(p_capabilities) = 'object' then p_capabilities else '{}' end) c
     where lower(c.key) in ('voice', 'sms', 'mms') and jsonb_typeof(c.value) = 'boolean'
$$;

-- Who answers it, or will in a moment.
create or replace function public.number_assistant(n public.phone_numbers) returns uuid
    language sql immutable set search_path = '' as $$
    select coalesce(n.assistant_wanted_id, n.assistant_id)
$$;

-- A line of the log of one number, as its organization reads it: what providers said in their own words stays with operators.
create or replace function public.number_log_view(l public.phone_provision_logs) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object('id', l.id, 'action', l.trigger_action, 'status', l.status, 'reason', l.reason, 'duration_ms', l.duration_ms,
                              'created_at', public.time_view(l.created_at), 'finished_at', public.time_view(l.finished_at));
end
$$;

-- A code that ran out is told so, whether anybody tried it or not.
create or replace function public.verified_number_view(v public.verified_numbers) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', v.id, 'phone_number', v.phone_number, 'channel', v.channel,
        'status', case when v.status = 'pending' and v.expires_at <= clock_timestamp() then 'expired' else v.status end,
        'expires_at', case when v.status = 'pending' then public.time_view(v.expires_at) end,
        'verified_at', public.time_view(v.verified_at), 'created_at', public.time_view(v.created_at));
end
$$;
