-- 35_numbers_asked.sql - what people ask of phone numbers: /api/v1/phone-numbers acts through these, each of which takes the active organization's
-- own numbers alone.  How a number is brought there is 35_numbers.sql.

-- ---- whose it is --------------------------------------------------------------

create or replace function public.number_of(p_number uuid) returns public.phone_numbers
    language plpgsql stable set search_path = '' as $$
declare
    n public.phone_numbers;
begin
    select * into n from public.phone_numbers x where x.id = p_number and x.organization_id = (select public.current_organization_id());
    if not found then
        raise exception 'number_not_found' using errcode = 'PT404';
    end if;
    return n;
end
$$;

-- The same to change it.  The organization's row is locked before its numbers' are, as everywhere.
create or replace function public.number_lock(p_number uuid) returns public.phone_numbers
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.organization_lock(public.current_organization_id());
    perform from public.phone_numbers x where x.id = p_number and x.organization_id = public.current_organization_id() for update;
    return public.number_of(p_number);
end
$$;

create or replace function public.number_rows(p_status text, p_assistant uuid, p_after text, p_limit integer) returns setof public.phone_numbers
    language plpgsql stable set search_path = '' as $$
declare
    v_at timestamptz;
    v_id uuid;
begin
    select k.at, k.id into v_at, v_id from public.cursor_read('phone_numbers', p_after) k;
    return query
    select n.* from public.phone_numbers n
     where n.organization_id = (select public.current_organization_id())
       and (p_status is null or n.status = p_status)
       and (p_assistant is null or public.number_assistant(n) = p_assistant)
       and (v_at is null or (n.created_at, n.id) < (v_at, v_id))
     order by n.created_at desc, n.id desc
     limit p_limit;
end
$$;

-- An assistant that may answer: the organization's own, and not deleted.
create or replace function public.number_assistant_check(p_assistant uuid) returns void
    language plpgsql stable set search_path = '' as $$
begin
    perform from public.assistants a
      where a.id = p_assistant and a.organization_id = (select public.current_organization_id()) and a.deleted_at is null
        and a.status not in ('deleting', 'deleted');
    if p_assistant is not null and not found then
        raise exception 'assistant_not_found' using errcode = 'PT404', hint = 'assistant_id';
    end if;
end
$$;

-- Where calls and texts may be put through to: a number that proved to be one of its people's, and not the number itself.
create or replace function public.number_target_check(n public.phone_numbers, p_field text, p_target text) returns void
    language plpgsql stable set search_path = '' as $$
begin
    if p_target is null then
        return;
    elsif p_target = n.phone_number then
        perform public.refuse_field('number_not_verified', p_field, 'A number is not put through to itself.');
    elsif (public.twilio_number_of(p_target)).id is not null then -- it was bought here since it was proved
        perform public.refuse_field('number_not_verified', p_field, 'This is one of the numbers that assistants answer.');
    end if;
    perform from public.verified_numbers v
      where v.organization_id = n.organization_id and v.phone_number = p_target and v.status = 'verified';
    if not found then
        perform public.refuse_field('number_not_verified', p_field, 'Prove first that this number is yours: POST /api/v1/phone-numbers/verify.');
    end if;
end
$$;

-- What becomes a part of an address, or is counted upon, is what it should be.  p_field: what the country is called.
create or replace function public.number_place_check(p_field text, p_country text, p_area_code text) returns void
    language plpgsql immutable set search_path = '' as $$
begin
    if p_country !~ '^[A-Z]{2}$' then
        perform public.refuse_field('number_place_invalid', p_field, 'Two capital letters, US for one.');
    elsif p_area_code !~ '^[0-9]+$' then
        perform public.refuse_field('number_place_invalid', 'area_code', 'An area code is digits.');
    end if;
end
$$;

-- ---- what is on sale ------------------------------------------------------------

-- What Twilio is asked.  Its parameters by our fields; what is not wished for is null and not sent.
create or replace function public.number_search_ask(p jsonb) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_policy public.number_policy;
    v_kinds constant jsonb := '{"local":"Local","toll-free":"TollFree","mobile":"Mobile"}';
begin
    perform public.number_place_check('country', p ->> 'country', p ->> 'area_code');
    select * into v_policy from public.number_policy;
    return jsonb_build_object(
        'path', format('/AvailablePhoneNumbers/%s/%s.json', coalesce(p ->> 'country', v_policy.country_code),
                       v_kinds ->> coalesce(p ->> 'number_type', v_policy.number_type)),
        'query', jsonb_build_object(
            'AreaCode', p ->> 'area_code', 'Contains', p ->> 'contains', 'InRegion', p ->> 'region', 'InLocality', p ->> 'locality',
            'SmsEnabled', p ->> 'sms', 'VoiceEnabled', p ->> 'voice', 'MmsEnabled', p ->> 'mms',
            'PageSize', p ->> 'limit', 'Page', nullif(p ->> 'page', '0')));
end
$$;

-- What an answer of Twilio's that is none of success means.
create or replace function public.number_search_need(p_answer jsonb) returns void
    language plpgsql immutable set search_path = '' as $$
begin
    if p_answer ->> 'result' in ('retry', 'unknown') then
        raise exception 'unavailable' using errcode = 'PT503', detail = 'The phone provider did not answer; try again.';
    elsif p_answer ->> 'result' <> 'ok' then
        raise exception 'number_search_refused' using errcode = 'PT422', detail = format('The phone provider says: %s.', p_answer ->> 'code');
    end if;
end
$$;

-- What it has, without those that somebody here has or that rest.
create or replace function public.number_offers(p_found jsonb, p_type text) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select coalesce(jsonb_agg(jsonb_build_object(
                'phone_number', f.o ->> 'phone_number', 'friendly_name', f.o ->> 'friendly_name', 'locality', nullif(f.o ->> 'locality', ''),
                'region', nullif(f.o ->> 'region', ''), 'postal_code', nullif(f.o ->> 'postal_code', ''), 'country_code', f.o ->> 'iso_country',
                'number_type', coalesce(p_type, (select x.number_type from public.number_policy x)),
                'capabilities', public.number_capabilities(f.o -> 'capabilities'),
                'address_requirements', coalesce(f.o ->> 'address_requirements', 'none')) order by f.n), '[]')
              from jsonb_array_elements(p_found) with ordinality f(o, n)
             where f.o ->> 'phone_number' ~ '^\+[1-9][0-9]{6,14}$'
               and not exists (select from public.phone_numbers t
                                where t.phone_number = f.o ->> 'phone_number'
                                  and (t.status not in ('failed', 'released', 'lost') or t.rests_until > now())));
end
$$;

-- ---- buying, changing, giving back ------------------------------------------------------

-- p: as POST /api/v1/phone-numbers has it.
create or replace function public.number_order(p jsonb) returns public.phone_numbers
    language plpgsql security definer set search_path = '' as $$
declare
    v_policy public.number_policy;
begin
    perform public.contacts_open();
    perform public.number_assistant_check((p ->> 'assistant_id')::uuid), public.number_place_check('country_code', p ->> 'country_code', p ->> 'area_code');
    if not public.numbers_ready() then
        raise exception 'numbers_not_configured' using errcode = 'PT409';
    end if;
    if p ->> 'phone_number' is null then
        select * into v_policy from public.number_policy;
        p := jsonb_build_object('country_code', v_policy.country_code, 'number_type', v_policy.number_type) || p;
    end if;
    return public.number_make(public.current_organization_id(),
                              p || jsonb_build_object('origin', 'chosen', 'user_id', public.current_user_id()));
end
$$;

-- Members that are not given stay, null clears; without an assistant of its own it has the organization's usual one.  A number that is given
-- back, or never was had, is not changed any more.
create or replace function public.number_change(p_number uuid, p_changes jsonb) returns public.phone_numbers
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := public.number_lock(p_number);
    v_new public.phone_numbers := jsonb_populate_record(n, p_changes - 'assistant_id');
    v_fields text[];
begin
    if n.wanted = 'released' or n.status in ('released', 'failed', 'lost') then
        raise exception 'number_released' using errcode = 'PT409';
    end if;
    perform public.number_assistant_check((p_changes ->> 'assistant_id')::uuid);
    if p_changes ? 'assistant_id' then
        v_new.assistant_wanted_id := coalesce((p_changes ->> 'assistant_id')::uuid, public.assistant_default(n.organization_id, n.user_id));
    end if;
    perform public.number_target_check(n, 'forward_to', p_changes ->> 'forward_to'),
            public.number_target_check(n, 'sms_forward_to', p_changes ->> 'sms_forward_to');
    if v_new.forward_when = 'always' and v_new.forward_to is null then
        perform public.refuse_field('forward_target_missing', 'forward_to', 'Say where callers are put through to.');
    elsif v_new.sms_mode = 'forward' and v_new.sms_forward_to is null then
        perform public.refuse_field('forward_target_missing', 'sms_forward_to', 'Say where text messages are sent on to.');
    end if;
    v_fields := array(select c.key from jsonb_each(p_changes) c order by 1);
    update public.phone_numbers x
       set name = v_new.name, forward_to = v_new.forward_to, forward_when = v_new.forward_when, sms_mode = v_new.sms_mode,
           sms_forward_to = v_new.sms_forward_to, assistant_wanted_id = v_new.assistant_wanted_id,
           -- One that was written by hand is brought nowhere: it is what it is told to be.
           assistant_id = case when x.origin = 'manual' and p_changes ? 'assistant_id' then v_new.assistant_wanted_id else x.assistant_id end,
           updated_at = now()
     where x.id = n.id
    returning x.* into v_new;
    if array_remove(v_fields, 'name') <> '{}' then
        perform public.number_sync(n.id);
    end if;
    return v_new;
end
$$;

-- Twice is once.
create or replace function public.number_give_back(p_number uuid) returns public.phone_numbers
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := public.number_lock(p_number);
begin
    if n.status not in ('released', 'failed', 'lost') then
        perform public.number_want(n.id, 'released', 'requested');
    end if;
    return public.number_of(n.id);
end
$$;

-- A call to one of the organization's own people, from this number and by the assistant that the row names: how it sounds.  Both are the
-- organization's own; the caller has seen to it.
create or replace function public.number_try_enter(n public.phone_numbers, v public.verified_numbers) returns uuid
    language plpgsql security definer set search_path = '' as $$
begin
    if v.status <> 'verified' then
        perform public.refuse_field('number_not_verified', 'verified_number_id', 'Nobody has confirmed yet that this number is his.');
    elsif n.status <> 'active' or n.voice_number_id is null
          or not exists (select from public.assistants a where a.id = n.assistant_id and a.vapi_assistant_id is not null and a.deleted_at is null)
          or not exists (select from public.call_service_providers p where p.id = n.provider_id and p.is_active) then
        raise exception 'number_not_active' using errcode = 'PT409', detail = 'The number is not linked to an assistant just now.';
    end if;
    return public.call_enter_number(n, public.current_user_id(), v.phone_number);
end
$$;

-- From this number, by its own assistant.
create or replace function public.number_try(p_number uuid, p_verified uuid) returns uuid
    language plpgsql security definer set search_path = '' as $$
begin
    return public.number_try_enter(public.number_of(p_number), public.verified_number_of(p_verified));
end
$$;

-- By this assistant, from the number that is named; without one from a number that has this assistant, else from any that can call.
create or replace function public.assistant_try(p_assistant uuid, p_verified uuid, p_number uuid) returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    a public.assistants;
    v public.verified_numbers;
    n public.phone_numbers;
begin
    select * into a from public.assistants x
     where x.id = p_assistant and x.organization_id = public.current_organization_id() and x.deleted_at is null;
    if not found then
        raise exception 'assistant_not_found' using errcode = 'PT404';
    end if;
    v := public.verified_number_of(p_verified);
    if p_number is not null then
        n := public.number_of(p_number);
    end if;
    if a.vapi_assistant_id is null then
        raise exception 'assistant_not_ready' using errcode = 'PT409', detail = 'Vapi does not have it yet; see its last_error.';
    elsif p_number is null then
        select x.* into n from public.phone_numbers x join public.call_service_providers p on p.id = x.provider_id and p.is_active
         where x.organization_id = a.organization_id and x.status = 'active' and x.voice_number_id is not null
           and (a.provider_id is null or a.provider_id = x.provider_id)
         order by x.assistant_id is distinct from a.id, x.created_at, x.id limit 1;
        if not found then
            raise exception 'number_not_active' using errcode = 'PT409', detail = 'The organization has no number that it can be called from just now.';
        end if;
    elsif a.provider_id <> n.provider_id then
        raise exception 'number_not_active' using errcode = 'PT409', detail = 'The number and the assistant are at two accounts of Vapi.';
    end if;
    n.assistant_id := a.id;
    return public.number_try_enter(n, v);
end
$$;

-- ---- what went over it --------------------------------------------------------------

create or replace function public.number_used(p_number uuid, p_from timestamptz, p_to timestamptz) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    n public.phone_numbers := public.number_of(p_number);
    v_calls record;
    v_texts record;
begin
    select count(*) filter (where c.direction = 'inbound') as came, count(*) filter (where c.direction = 'outbound') as went,
           coalesce(sum(c.duration_seconds) filter (where c.direction = 'inbound'), 0) as came_s,
           coalesce(sum(c.duration_seconds) filter (where c.direction = 'outbound'), 0) as went_s,
           coalesce(sum(ceil(c.duration_seconds / 60.0)), 0) as minutes
      into v_calls
      from (select x.direction, x.duration_seconds from public.calls x
             where x.phone_number_id = n.id and x.direction = 'inbound' and x.created_at >= p_from and x.created_at < p_to
            union all
            select x.direction, x.duration_seconds from public.calls x
             where x.caller_number_id = n.id and x.direction = 'outbound' and x.created_at >= p_from and x.created_at < p_to) c;
    select count(*) filter (where t.direction = 'inbound') as came, count(*) filter (where t.direction = 'outbound') as went
      into v_texts from public.text_messages t where t.phone_number_id = n.id and t.created_at >= p_from and t.created_at < p_to;
    return jsonb_build_object('from', public.time_view(p_from), 'to', public.time_view(p_to), 'calls_in', v_calls.came, 'calls_out', v_calls.went,
                              'seconds_in', v_calls.came_s, 'seconds_out', v_calls.went_s, 'minutes', v_calls.minutes,
                              'messages_in', v_texts.came, 'messages_out', v_texts.went);
end
$$;
