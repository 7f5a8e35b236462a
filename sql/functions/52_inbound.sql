-- 52_inbound.sql - calls that come in: whose they are, the rows that they get at their first event, and who takes them.
--
-- What an event says of an inbound call stands in its report: "inbound": {"number_id", "number", "caller"}.  From its rows on such a call is
-- what every other is, with one attempt that the provider has accepted.  Its queue row's route 'inbound' is no provider's: nobody dials it.

-- The number that was called: the one with that id at the voice provider, else one with those digits, the organization's own before others',
-- one that is in use before one that is gone.
create or replace function public.inbound_number(p_organization uuid, p_inbound jsonb) returns public.phone_numbers
    language sql stable security definer set search_path = '' as $$
    select n.* from public.phone_numbers n
     where n.voice_number_id = p_inbound ->> 'number_id' or n.phone_number = p_inbound ->> 'number'
     order by (n.voice_number_id = p_inbound ->> 'number_id') is true desc, n.organization_id = p_organization desc,
              n.status not in ('failed', 'released', 'lost') desc, n.created_at desc, n.id
     limit 1
$$;

-- The account at the voice provider where a number is; null: there is none.
create or replace function public.inbound_account(n public.phone_numbers, p_type text) returns uuid
    language sql stable security definer set search_path = '' as $$
    select p.id from public.call_service_providers p
     where p.provider_type = p_type
     order by p.id = n.provider_id desc nulls last, p.is_active desc, p.is_draining, p.priority, p.created_at, p.id limit 1
$$;

-- The first that is heard of a call: its rows.  Behind assignment_lock, which lets one event of a call after the other in here.  An attempt
-- without an id: no account.
create or replace function public.inbound_begin(n public.phone_numbers, p_type text, p_provider_call text, p_inbound jsonb)
    returns public.call_assignments language plpgsql security definer set search_path = '' as $$
declare
    v_provider uuid := public.inbound_account(n, p_type);
    v_id uuid := gen_random_uuid();
    v_now timestamptz := clock_timestamp();
    v_number text := coalesce(n.phone_number, p_inbound ->> 'number');
    a public.call_assignments;
begin
    if v_provider is null then
        return null;
    end if;
    insert into public.calls (id, created_at, organization_id, direction, status, from_number, to_number, phone_number_id, assistant_id, provider_id,
                              provider_type, provider_call_id, vapi_call_id, attempts)
    values (v_id, v_now, n.organization_id, 'inbound', 'in-progress', substring(p_inbound ->> 'caller' from '^\+[1-9][0-9]{6,14}$'), v_number, n.id,
            coalesce(n.assistant_id, n.assistant_wanted_id), v_provider, p_type, p_provider_call,
            case when p_type = 'vapi' then p_provider_call end, 1);
    insert into public.call_queue (id, call_created_at, organization_id, recipient_number, due_at, expires_at, status, route, call_id, provider_id,
                                   attempts, max_attempts, created_at)
    values (v_id, v_now, n.organization_id, v_number, v_now, v_now, 'in-progress', 'inbound', p_provider_call, v_provider, 1, 1, v_now);
    insert into public.call_assignments (call_id, call_created_at, organization_id, provider_id, provider_type, attempt, state, lease_until, assistant,
                                         caller_number, created_at, accepted_at, provider_call_id, next_look_at)
    select v_id, v_now, n.organization_id, p.id, p_type, 1, 'accepted', v_now, n.linked_assistant, n.voice_number_id, v_now, v_now, p_provider_call,
           v_now + make_interval(secs => p.silence_seconds)
      from public.call_service_providers p where p.id = v_provider
    returning * into a;
    return a;
end
$$;

-- An event of a call that nobody knows yet and that came in.  As call_apply, whose locks are held.
create or replace function public.inbound_apply(p_organization uuid, p_type text, p_provider_call text, p_report jsonb) returns text
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := public.inbound_number(p_organization, p_report -> 'inbound');
    a public.call_assignments;
begin
    if n.id is null then
        return 'waiting'; -- its row may be on the way
    end if;
    if n.organization_id <> p_organization then
        return 'foreign_call';
    end if;
    a := public.inbound_begin(n, p_type, p_provider_call, p_report -> 'inbound');
    if a.id is null then
        return 'waiting';
    end if;
    return public.assignment_apply(a, p_provider_call, p_report);
end
$$;

create or replace function public.call_is_inbound(a public.call_assignments) returns boolean
    language sql stable security definer set search_path = '' as $$
    select exists (select from public.calls c where c.id = a.call_id and c.created_at = a.call_created_at and c.direction = 'inbound')
$$;

-- What became of an inbound call: completed when somebody took it.  It is never dialled again.
create or replace function public.inbound_outcome(p_class text, p_reason text, p_taken boolean) returns text
    language sql immutable
    return case when p_reason = 'assistant-request-returned-forwarding-phone-number' then 'completed'
                when p_taken and p_class in ('finished', 'retry_later', 'unlisted') then 'completed'
                else 'failed' end;

-- Whether a call that is over stands in the ledger: an outbound one that a provider took, an inbound one that somebody here took.
create or replace function public.call_counts(c public.calls, p_seconds integer) returns boolean
    language sql immutable
    return c.attempts > 0 and (c.direction = 'outbound' or c.status = 'completed' or c.started_at is not null or p_seconds > 0);

-- ---- who takes it ---------------------------------------------------------

-- May an assistant of this organization take a call now, by its status and its plan?  p_attempt: the call's own attempt, which is counted as
-- live already; so are others that were refused, or of which nothing but the ringing is known: these take nobody's place.
create or replace function public.inbound_admission(p_organization uuid, p_attempt uuid) returns boolean
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_may boolean;
    v_limited boolean;
    v_not integer;
    l record;
begin
    select o.status in ('active', 'past_due') and t.may_call, p.limit_mode = 'hard' and num_nonnulls(p.call_limit, p.minutes_limit) > 0
      into v_may, v_limited
      from public.organizations o
      join public.subscriptions s on s.organization_id = o.id and s.current
      join public.subscription_plans p on p.id = s.plan_id
      join public.subscription_standings t on t.status = s.status
     where o.id = p_organization;
    if v_may is not true or not v_limited then
        return coalesce(v_may, false);
    end if;
    select count(*) into v_not
      from public.call_assignments a join public.call_queue q on q.id = a.call_id and q.route = 'inbound' and q.status = 'in-progress'
     where a.organization_id = p_organization and a.state = 'accepted'
       and (a.id = p_attempt or a.answer = '' or (a.answer is null and a.answered_at is null));
    select * into l from public.plan_left(p_organization);
    return coalesce(l.calls_room + v_not, 1) > 0 and coalesce(l.seconds_left + v_not * l.increment_seconds, 1) > 0;
end
$$;

-- What Vapi is answered about a call to that number, as JSON; '': nobody takes it.
create or replace function public.inbound_says(n public.phone_numbers, p_attempt uuid) returns text
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_assistant text;
begin
    if n.forward_when <> 'always' or n.forward_to is null then
        select x.vapi_assistant_id into v_assistant from public.assistants x
         where x.id in (n.assistant_id, n.assistant_wanted_id) and x.organization_id = n.organization_id
           and x.deleted_at is null and x.vapi_assistant_id is not null
         order by x.id = n.assistant_id desc nulls last limit 1;
        if v_assistant is not null and n.wanted = 'active' and n.status in ('searching', 'buying', 'linking', 'active')
           and public.inbound_admission(n.organization_id, p_attempt) then
            return jsonb_build_object('assistantId', v_assistant);
        end if;
    end if;
    if n.forward_when <> 'never' and n.forward_to is not null then
        return jsonb_build_object('destination', jsonb_build_object('type', 'number', 'number', n.forward_to));
    end if;
    return '';
end
$$;

-- The answer to who takes a call, once found and then the same for ever; null: nobody.
create or replace function public.inbound_answer(p_organization uuid, p_type text, p_provider_call text, p_inbound jsonb) returns text
    language plpgsql security definer set search_path = '' as $$
declare
    a public.call_assignments := public.assignment_lock(null, p_type, p_provider_call);
    n public.phone_numbers;
    v_answer text;
begin
    if a.organization_id <> p_organization or a.id is not null and not public.call_is_inbound(a) then
        return null;
    end if;
    if a.answer is not null then
        return nullif(a.answer, '');
    end if;
    n := public.inbound_number(p_organization, p_inbound);
    if n.organization_id is distinct from p_organization then
        return null;
    end if;
    v_answer := public.inbound_says(n, a.id);
    update public.call_assignments x
       set answer = v_answer, assistant = nullif(v_answer, '')::jsonb ->> 'assistantId', updated_at = now()
     where x.id = a.id;
    return nullif(v_answer, '');
end
$$;

-- Keeps an event that asks who takes a call, as webhook_keep does, and answers it; reply null: nobody takes it.  One of an organization after
-- the other, so that of callers at once no more are let in than its plan has left.  Vapi waits for 7.5 seconds, so locks are not waited for
-- longer.  An organization's own secret is answered nothing: what it may say makes no call.
create or replace function public.webhook_ask(
    p_provider text, p_organization uuid, p_signer text, p_key text, p_type text, p_assignment uuid, p_provider_call text,
    p_body text, p_report text, p_class text, out state text, out reply text)
    language plpgsql security definer set search_path = '' set lock_timeout = '5s' as $$
begin
    perform from public.organizations o where o.id = p_organization for no key update;
    state := public.webhook_keep(p_provider, p_organization, p_signer, p_key, p_type, p_assignment, p_provider_call, p_body, p_report,
                                 case p_class when 'ask' then 'moves' else p_class end);
    if p_signer in ('inbound', 'installation') and p_provider_call is not null then
        reply := public.inbound_answer(p_organization, p_provider, p_provider_call, p_report::jsonb -> 'inbound');
    end if;
end
$$;
