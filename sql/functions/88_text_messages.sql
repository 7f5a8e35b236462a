-- 88_text_messages.sql - text messages as Twilio tells of them: those that come in, with STOP, START and HELP, and what became of those that
-- were sent.  Sending is in 85_sms.sql.

-- A text message as events show it.
create or replace function public.text_message_view(m public.text_messages) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', m.id, 'organization_id', m.organization_id, 'phone_number_id', m.phone_number_id, 'direction', m.direction,
        'from_number', m.from_number, 'to_number', m.to_number, 'body', m.body, 'status', m.status, 'error_code', m.error_code,
        'segments', m.segments, 'media', m.media, 'keyword', m.keyword, 'provider_sid', m.provider_sid,
        'created_at', public.time_view(m.created_at), 'status_at', public.time_view(m.status_at));
end
$$;

-- Told once of each message and kind; those of the installation itself are nobody's news.
create or replace function public.text_message_event(m public.text_messages, p_type text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    if m.organization_id is not null then
        insert into public.events (organization_id, type, subject_id, data)
        values (m.organization_id, p_type, m.id, public.text_message_view(m))
        on conflict (subject_id, type) where subject_id is not null do nothing;
    end if;
end
$$;

-- ---- in -----------------------------------------------------------------------

-- What a message asks for with one word, as Twilio understands it by itself; null: it is any message.
create or replace function public.sms_keyword(p_body text) returns text
    language sql immutable set search_path = '' as $$
    select case when w in ('stop', 'stopall', 'unsubscribe', 'cancel', 'end', 'quit', 'optout', 'revoke') then 'stop'
                when w in ('start', 'yes', 'unstop') then 'start'
                when w in ('help', 'info') then 'help' end
      from lower(regexp_replace(p_body, '^\s+|\s+$', '', 'g')) w
$$;

-- Whose number it is: that of the organization that has it now.  Rows that were written by hand stand behind those that we bought.
create or replace function public.twilio_number_of(p_number text) returns public.phone_numbers
    language sql stable security definer set search_path = '' as $$
    select n.* from public.phone_numbers n
     where n.phone_number = p_number and n.status not in ('failed', 'released', 'lost')
     order by n.origin = 'manual', n.status <> 'active', n.created_at desc, n.id limit 1
$$;

-- Who says STOP is neither called nor texted by the organization any more; START takes back only what STOP did.  Twilio answers the words
-- itself, and does not let through what is sent to who said STOP.
create or replace function public.sms_opt(m public.text_messages, p_organization uuid, p_keyword text, p_from text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    if p_from !~ '^\+[1-9][0-9]{6,14}$' then
        return;
    end if;
    if p_keyword = 'stop' then
        insert into public.do_not_call (organization_id, phone_number, reason) values (p_organization, p_from, 'sms_stop')
        on conflict (organization_id, phone_number) do nothing;
    elsif p_keyword = 'start' then
        delete from public.do_not_call d where d.organization_id = p_organization and d.phone_number = p_from and d.reason = 'sms_stop';
    else
        return;
    end if;
    if found then
        insert into public.events (organization_id, type, subject_id, data)
        values (p_organization, case p_keyword when 'stop' then 'message.opted_out' else 'message.opted_in' end, m.id,
                jsonb_build_object('organization_id', p_organization, 'phone_number', p_from, 'message_id', m.id,
                                   'phone_number_id', m.phone_number_id))
        on conflict (subject_id, type) where subject_id is not null do nothing;
    end if;
end
$$;

-- To the telephone that the organization named; never back to it, nor on from one of our numbers to the next.  What is sent on is paid for here,
-- and anybody may text: a hundred at once of each number, then one in two minutes.  The others are only kept.
create or replace function public.sms_forward(m public.text_messages, n public.phone_numbers) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    if n.sms_mode <> 'forward' or n.sms_forward_to is null or m.from_number is not distinct from n.sms_forward_to
       or (public.twilio_number_of(m.from_number)).id is not null or (public.twilio_number_of(n.sms_forward_to)).id is not null
       or (select r.refused from public.rate_take_all(array['sms forward ' || n.id], array[120000000]::bigint[], array[100]::bigint[]) r) then
        return;
    end if;
    perform public.sms_send('forward:' || m.provider_sid, n.sms_forward_to,
        format('From %s: %s', m.from_number, coalesce(m.body, ''))
            || case jsonb_array_length(m.media) when 0 then '' else format(' (attachments: %s)', jsonb_array_length(m.media)) end,
        n.organization_id, case when public.sms_sender(n.organization_id, n.phone_number) is not null then n.phone_number end);
end
$$;

-- A message to a number.  kept: it is nobody's number; ignored: the organization takes none, or has it already.
create or replace function public.sms_received(p jsonb, out state text, out organization uuid)
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := public.twilio_number_of(p ->> 'to');
    v_keyword text := public.sms_keyword(p ->> 'body');
    m public.text_messages;
begin
    state := 'kept';
    organization := n.organization_id;
    if n.id is null then
        perform public.webhook_count('twilio', 'nobody');
        return;
    end if;
    state := 'ignored';
    if n.sms_mode <> 'ignore' then
        insert into public.text_messages (organization_id, phone_number_id, direction, from_number, to_number, body, provider_sid, status,
                                          segments, media, keyword, status_at)
        values (n.organization_id, n.id, 'inbound', p ->> 'from', p ->> 'to', p ->> 'body', p ->> 'sid', 'received',
                public.number_or_null(p ->> 'segments')::integer, coalesce(p -> 'media', '[]'), v_keyword, clock_timestamp())
        on conflict (provider, provider_sid) do nothing
        returning * into m;
        if not found then
            return;
        end if;
        state := 'applied';
        perform public.text_message_event(m, 'message.received');
        if v_keyword is null then
            perform public.sms_forward(m, n);
        end if;
    end if;
    perform public.sms_opt(m, n.organization_id, v_keyword, p ->> 'from');
end
$$;

-- ---- what became of those that were sent --------------------------------------------

-- How far a status is; Twilio's tellings overtake each other.  Null: a word that we do not know.
create or replace function public.sms_rank(p_status text) returns integer
    language sql immutable set search_path = '' as $$
    select case when p_status in ('accepted', 'scheduled') then 0
                when p_status = 'queued' then 1
                when p_status = 'sending' then 2
                when p_status = 'sent' then 3
                when p_status in ('delivered', 'undelivered', 'failed', 'canceled', 'partially_delivered') then 4
                when p_status in ('read', 'received') then 5 end
$$;

-- waiting: nobody knows the message yet (the answer to sending it is still to be stored).  ignored: it was that far already.
create or replace function public.sms_status(p jsonb, out state text, out organization uuid)
    language plpgsql security definer set search_path = '' as $$
declare
    m public.text_messages;
    v_rank integer := public.sms_rank(p ->> 'status');
begin
    perform public.sms_lock(p ->> 'sid');
    select * into m from public.text_messages x where x.provider = 'twilio' and x.provider_sid = p ->> 'sid' for update;
    organization := m.organization_id;
    state := case when m.id is null then 'waiting' when v_rank is null then 'unknown' else 'ignored' end;
    if state <> 'ignored' or m.direction <> 'outbound' or v_rank <= coalesce(public.sms_rank(m.status), -1) then
        return;
    end if;
    update public.text_messages x
       set status = p ->> 'status', error_code = nullif(p ->> 'error_code', '0'), status_at = clock_timestamp(),
           from_number = coalesce(x.from_number, p ->> 'from')
     where x.id = m.id
    returning x.* into m;
    state := 'applied';
    if v_rank = 4 then
        perform public.text_message_event(m, 'message.updated');
    end if;
end
$$;
