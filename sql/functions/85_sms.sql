-- 85_sms.sql - text messages that are sent: each is a run of the workflow "sms" (common/work/flow_sms.c), sent by Twilio, and a row of
-- text_messages.  What comes in, and what becomes of those that were sent, is in 88_text_messages.sql.

-- Has a text sent; a second one of the same p_id is the first one.  p_from: a number of the organization; null: that of the installation
-- (TWILIO_SMS_FROM).  True: it is on its way; false: it was already, or there is no number to send it to or from, or nothing to say.
create or replace function public.sms_send(p_id text, p_to text, p_text text, p_organization uuid default null, p_from text default null) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    v_number uuid;
begin
    if coalesce(p_to !~ '^\+[1-9][0-9]{6,14}$', true) or coalesce(btrim(p_text), '') = '' then
        return false;
    end if;
    if p_from is not null then
        v_number := public.sms_sender(p_organization, p_from);
        if v_number is null then
            return false;
        end if;
    end if;
    if not public.work_start('sms:' || p_id, 'sms',
                             jsonb_strip_nulls(jsonb_build_object('to', p_to, 'text', left(p_text, 1600), 'from', p_from)), p_organization) then
        return false;
    end if;
    insert into public.text_messages (organization_id, phone_number_id, direction, from_number, to_number, body, run_id)
    values (p_organization, v_number, 'outbound', p_from, p_to, left(p_text, 1600), 'sms:' || p_id);
    return true;
end
$$;

-- The organization's number that texts can be sent from; null: it has no such number, or not now.
create or replace function public.sms_sender(p_organization uuid, p_number text) returns uuid
    language sql stable security definer set search_path = '' as $$
    select n.id from public.phone_numbers n
     where n.organization_id = p_organization and n.phone_number = p_number and n.status = 'active' and n.wanted = 'active'
       and (n.capabilities = '{}' or exists (select from jsonb_each_text(n.capabilities) c where lower(c.key) = 'sms' and c.value = 'true'))
     order by n.origin = 'manual', n.created_at, n.id limit 1
$$;

-- Before each try: a number that the organization must not call is not texted either.
create or replace function public.sms_prepare(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform from public.do_not_call d
      where d.organization_id = nullif(p_run ->> 'organization_id', '')::uuid and d.phone_number = p_run -> 'input' ->> 'to';
    if found then
        perform public.sms_not_sent(p_run ->> 'id', 'canceled', 'do_not_call');
        return jsonb_build_object('done', true, 'result', jsonb_build_object('skipped', 'do_not_call'));
    end if;
    return null;
end
$$;

-- Twilio has taken it, in the transaction that stores its answer.  What Twilio told of it before that waits no longer.  A message that was
-- found in Twilio's list for two runs is the first one's.
create or replace function public.sms_sent(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_sid text := p_run -> 'result' ->> 'id';
    w public.webhook_events;
begin
    update public.text_messages m
       set provider_sid = case when x.taken then m.provider_sid else v_sid end, status = coalesce(p_run -> 'result' ->> 'status', 'queued'),
           error_code = null, status_at = clock_timestamp()
      from (select exists (select from public.text_messages o where o.provider = 'twilio' and o.provider_sid = v_sid) as taken) x
     where m.run_id = p_run ->> 'id' and m.provider_sid is null;
    for w in select * from public.webhook_events e
              where e.provider = 'twilio' and e.provider_call_id = v_sid and e.state = 'waiting' order by e.id for update loop
        perform public.webhook_try(w);
    end loop;
    return null;
end
$$;

-- It was not sent, and why.
create or replace function public.sms_not_sent(p_run text, p_status text, p_reason text) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    m public.text_messages;
begin
    update public.text_messages x set status = p_status, error_code = left(p_reason, 200), status_at = clock_timestamp()
     where x.run_id = p_run and x.provider_sid is null and x.status not in ('failed', 'canceled')
    returning x.* into m;
    if found then
        perform public.text_message_event(m, 'message.updated');
    end if;
end
$$;

-- A run that ends without Twilio having taken its text.
create or replace function public.sms_run_ended() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.sms_not_sent(new.id, new.state, coalesce(new.last_error, new.state));
    return null;
end
$$;
