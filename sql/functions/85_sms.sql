-- 85_sms.sql - text messages: each is a run of the workflow "sms" (common/work/flow_sms.c), sent by Twilio.

-- Has a text sent; a second one of the same p_id is the first one.  True: it is on its way; false: it was already, or there is no number
-- to send it to, or nothing to say.
create or replace function public.sms_send(p_id text, p_to text, p_text text, p_organization uuid default null) returns boolean
    language plpgsql security definer set search_path = '' as $$
begin
    if coalesce(p_to !~ '^\+[1-9][0-9]{6,14}$', true) or coalesce(btrim(p_text), '') = '' then
        return false;
    end if;
    return public.work_start('sms:' || p_id, 'sms', jsonb_build_object('to', p_to, 'text', left(p_text, 1600)), p_organization);
end
$$;

-- Before each try: a number that the organization must not call is not texted either.
create or replace function public.sms_prepare(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform from public.do_not_call d
      where d.organization_id = nullif(p_run ->> 'organization_id', '')::uuid and d.phone_number = p_run -> 'input' ->> 'to';
    if found then
        return jsonb_build_object('done', true, 'result', jsonb_build_object('skipped', 'do_not_call'));
    end if;
    return null;
end
$$;
