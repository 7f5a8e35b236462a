-- 71_twilio_events.sql - events of Twilio: kept once and applied in the same statement.  They come signed for the installation's account; the
-- number says whose they are.  And calls in need: what a caller is told when the assistant cannot take the call.

-- p_facts as common/peers/twilio_event.c reads them; null: a shape that we do not understand.  Answers {"state", "answer"}: what became of
-- it (applied|ignored|waiting|failed|kept|unknown|duplicate), and what Twilio shall do with a call.
create or replace function public.twilio_keep(p_key text, p_type text, p_facts jsonb, p_body text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_state text := 'unknown';
    v_organization uuid;
    v_error text;
begin
    insert into public.webhook_event_keys (provider, key) values ('twilio', p_key) on conflict do nothing;
    if not found then
        return jsonb_build_object('state', 'duplicate', 'answer', public.twilio_voice_answer(p_facts));
    end if;
    if p_facts is not null then
        select t.state, t.organization, t.error into v_state, v_organization, v_error from public.twilio_try(p_facts) t;
    end if;
    insert into public.webhook_events (provider, organization_id, signer, type, key, provider_call_id, state, apply_error, try_at, report, body)
    values ('twilio', v_organization, 'installation', p_type, p_key, p_facts ->> 'sid', v_state, v_error,
            case when v_state = 'waiting' and p_facts ->> 'kind' = 'voice' then clock_timestamp() + public.twilio_call_longest()
                 when v_state in ('waiting', 'failed') then clock_timestamp() + interval '1 second' end,
            case when v_state in ('waiting', 'failed') then p_facts::text end, p_body);
    return jsonb_build_object('state', v_state, 'answer', public.twilio_voice_answer(p_facts));
end
$$;

create or replace function public.twilio_apply(p_facts jsonb, out state text, out organization uuid)
    language plpgsql security definer set search_path = '' as $$
begin
    case p_facts ->> 'kind'
        when 'sms' then
            select r.state, r.organization into state, organization from public.sms_received(p_facts) r;
        when 'message' then
            select r.state, r.organization into state, organization from public.sms_status(p_facts) r;
        when 'voice' then
            select r.state, r.organization into state, organization from public.twilio_voice(p_facts) r;
        when 'recording' then
            select r.state, r.organization into state, organization from public.twilio_recording(p_facts) r;
        else
            select r.state, r.organization into state, organization from public.twilio_call_end(p_facts) r;
    end case;
end
$$;

-- The same, and what it fails with.
create or replace function public.twilio_try(p_facts jsonb, out state text, out organization uuid, out error text)
    language plpgsql security definer set search_path = '' as $$
begin
    select a.state, a.organization into state, organization from public.twilio_apply(p_facts) a;
exception when others then
    state := 'failed';
    error := left(sqlstate || ' ' || sqlerrm, 500);
end
$$;

-- ---- calls that their assistant could not take -----------------------------------------

-- Twilio ends every call after four hours.
create or replace function public.twilio_call_longest() returns interval
    language sql immutable
    return interval '4 hours 5 minutes';

-- Our id of a call that only Twilio knows.
create or replace function public.twilio_call_id(p_sid text) returns uuid
    language sql immutable
    return md5('twilio:' || p_sid)::uuid;

-- What a caller is told: put through (dial, caller_id), asked for a message (record), let go (hangup) or not taken (reject).  Null: it is no
-- question.  Whom the caller is put through to sees who calls; a caller without a number is shown as the number called.
create or replace function public.twilio_voice_answer(p jsonb) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    n public.phone_numbers;
begin
    if p ->> 'kind' is distinct from 'voice' then
        return null;
    end if;
    n := public.twilio_number_of(p ->> 'to');
    if n.id is null or n.status not in ('linking', 'active') or n.wanted <> 'active'
       or exists (select from public.organizations o where o.id = n.organization_id and o.deleted_after is not null) then
        return '{"reject": true}';
    elsif p ->> 'dialed' in ('completed', 'answered') then
        return '{"hangup": true}';
    elsif p ->> 'dialed' is null and n.forward_to is not null and n.forward_when <> 'never' and n.forward_to is distinct from p ->> 'from' then
        return jsonb_build_object('dial', n.forward_to, 'caller_id',
                                  case when p ->> 'from' ~ '^\+[1-9][0-9]{6,14}$' then p ->> 'from' else n.phone_number end);
    end if;
    return '{"record": true}';
end
$$;

-- Such a call begins, or whom it was put through to did or did not answer.  The event waits until the call is over, so that one of which
-- Twilio tells no end is over, too.
create or replace function public.twilio_voice(p jsonb, out state text, out organization uuid)
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := public.twilio_number_of(p ->> 'to');
    v_answer jsonb := public.twilio_voice_answer(p);
    c public.calls;
begin
    organization := n.organization_id;
    select * into c from public.calls x where x.id = public.twilio_call_id(p ->> 'sid') for update;
    if c.finished_at is not null then
        state := 'applied';
    elsif p ->> 'dialed' is not null then
        update public.calls x set metadata = x.metadata || jsonb_build_object('fallback', case when v_answer ? 'hangup' then 'forwarded' else 'message' end)
         where x.id = c.id and x.created_at = c.created_at;
        state := case when c.id is null then 'waiting' else 'applied' end;
    elsif c.id is not null then
        if c.created_at < clock_timestamp() - public.twilio_call_longest() then
            perform public.twilio_call_close(c);
        end if;
        state := case when c.created_at < clock_timestamp() - public.twilio_call_longest() then 'applied' else 'waiting' end;
    elsif v_answer ? 'reject' then
        perform public.webhook_count('twilio', 'nobody');
        state := 'kept';
    else
        insert into public.calls (id, organization_id, user_id, direction, status, progress, from_number, to_number, phone_number_id, assistant_id,
                                  provider_type, provider_call_id, started_at, metadata)
        values (public.twilio_call_id(p ->> 'sid'), n.organization_id, n.user_id, 'inbound', 'in-progress', 'in-progress', p ->> 'from', p ->> 'to',
                n.id, n.assistant_id, 'twilio', p ->> 'sid', clock_timestamp(),
                jsonb_build_object('fallback', case when v_answer ? 'dial' then 'dialed' else 'message' end));
        state := 'waiting';
    end if;
end
$$;

-- What the caller said.  Twilio tells of it twice, in any order with the call's end.
create or replace function public.twilio_recording(p jsonb, out state text, out organization uuid)
    language plpgsql security definer set search_path = '' as $$
declare
    c public.calls;
    v_seconds integer := public.number_or_null(p ->> 'duration')::integer;
begin
    select * into c from public.calls x where x.id = public.twilio_call_id(p ->> 'sid') for update;
    organization := c.organization_id;
    state := case when c.id is null then 'waiting' else 'ignored' end;
    if c.id is null or p ->> 'status' in ('absent', 'failed') or coalesce(p ->> 'url' !~ '^https?://', true) or v_seconds = 0 then
        return;
    end if;
    insert into public.call_recordings (call_id, call_created_at, organization_id, recording_url, duration_seconds)
    values (c.id, c.created_at, c.organization_id, p ->> 'url', v_seconds)
    on conflict (call_id, call_created_at) do nothing;
    if not found then
        return;
    end if;
    state := 'applied';
    perform public.billing_mail('voice_message:' || (p ->> 'sid'), 'voice_message', c.organization_id,
                                jsonb_strip_nulls(jsonb_build_object('caller', c.from_number, 'phone_number', c.to_number, 'seconds', v_seconds::text)));
    if c.finished_at is null and c.ended_at is not null then
        perform public.twilio_call_close(c);
    end if;
end
$$;

-- Twilio says that a call is over.  Most are the voice provider's, who tells more of them.  Of ours a message may still be to come: it is
-- waited for two minutes.
create or replace function public.twilio_call_end(p jsonb, out state text, out organization uuid)
    language plpgsql security definer set search_path = '' as $$
declare
    c public.calls;
begin
    select * into c from public.calls x where x.id = public.twilio_call_id(p ->> 'sid') for update;
    organization := coalesce(c.organization_id, (public.twilio_number_of(p ->> 'to')).organization_id);
    state := case when c.id is null then 'kept' when c.finished_at is not null then 'ignored' else 'waiting' end;
    if state <> 'waiting' then
        return;
    elsif p ->> 'status' not in ('completed', 'busy', 'failed', 'no-answer', 'canceled') then
        state := 'kept';
        return;
    end if;
    update public.calls x
       set ended_at = coalesce(x.ended_at, clock_timestamp()), duration_seconds = coalesce(public.number_or_null(p ->> 'duration')::integer, x.duration_seconds)
     where x.id = c.id and x.created_at = c.created_at
    returning x.* into c;
    if public.twilio_call_succeeded(c) or c.ended_at < clock_timestamp() - interval '2 minutes' then
        perform public.twilio_call_close(c);
        state := 'applied';
    end if;
end
$$;

create or replace function public.twilio_call_succeeded(c public.calls) returns boolean
    language sql stable security definer set search_path = '' as $$
    select c.metadata ->> 'fallback' = 'forwarded' or exists (select from public.call_recordings r where r.call_id = c.id)
$$;

-- completed: somebody answered it, or a message was taken; else nobody did.  What waited for its end waits no longer.
create or replace function public.twilio_call_close(c public.calls) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.call_close(c.id, c.created_at, case when public.twilio_call_succeeded(c) then 'completed' else 'failed' end, 'assistant_down', null);
    update public.webhook_events e set state = 'applied', report = null, try_at = null
     where e.provider = 'twilio' and e.provider_call_id = c.provider_call_id and e.state = 'waiting';
end
$$;
