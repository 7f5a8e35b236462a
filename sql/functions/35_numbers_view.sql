-- 35_numbers_view.sql - what phone numbers look like outside.

create or replace function public.number_view(n public.phone_numbers) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', n.id, 'organization_id', n.organization_id, 'phone_number', n.phone_number, 'name', n.name, 'status', n.status, 'wanted', n.wanted,
        'origin', n.origin, 'number_type', n.number_type, 'country_code', n.country_code, 'area_code', n.area_code, 'locality', n.locality,
        'region', n.region, 'capabilities', n.capabilities, 'assistant_id', coalesce(n.assistant_wanted_id, n.assistant_id),
        'forward_to', n.forward_to, 'forward_when', n.forward_when, 'sms_mode', n.sms_mode, 'sms_forward_to', n.sms_forward_to,
        'provider_sid', n.provider_sid, 'voice_number_id', n.voice_number_id, 'purchased_at', public.time_view(n.purchased_at),
        'linked_at', public.time_view(n.linked_at), 'paused_at', public.time_view(n.paused_at), 'pause_reason', n.pause_reason)
        || jsonb_build_object(
        'release_after', public.time_view(n.release_after), 'released_at', public.time_view(n.released_at), 'release_reason', n.release_reason,
        'last_error', n.last_error, 'created_at', public.time_view(n.created_at), 'updated_at', public.time_view(n.updated_at));
end
$$;
