-- setup.sql - what the tests of this folder share: schema tests, with one helper for each thing that a test needs.
--
-- Run once, as a superuser, before the test files.  The helpers that make things act as that superuser whoever asks; those that change
-- who one is last until the end of the transaction.

create schema tests;
grant usage on schema tests to public;

-- ---- who one is -----------------------------------------------------------

-- The superuser again, without any identity.
create function tests.be_nobody() returns void language plpgsql as $$
begin
    perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true), set_config('hookswitch.organization_id', '', true);
end
$$;

-- A person, as the server makes him out of verified claims (role hookswitch_api).
create function tests.be(p_user uuid, p_organization uuid default null) returns void language plpgsql as $$
begin
    perform tests.be_nobody();
    perform set_config('request.jwt.claims', i.claims, true), set_config('hookswitch.organization_id', i.organization_id::text, true)
       from public.request_identity_token(jsonb_build_object('sub', p_user, 'role', 'authenticated'), p_organization::text, 'organization:read') i;
    perform set_config('role', 'hookswitch_api', true);
end
$$;

-- A person who comes with his token through PostgREST, not through us.
create function tests.be_person(p_user uuid, p_claims jsonb default '{}') returns void language plpgsql as $$
begin
    perform tests.be_nobody();
    perform set_config('request.jwt.claims', (jsonb_build_object('sub', p_user, 'role', 'authenticated') || p_claims)::text, true);
    perform set_config('role', 'authenticated', true);
end
$$;

create function tests.be_role(p_role text) returns void language plpgsql as $$
begin
    perform tests.be_nobody();
    perform set_config('role', p_role, true);
end
$$;

-- ---- things ---------------------------------------------------------------

create function tests.organization(p_name text, p_owner uuid default gen_random_uuid(), p_cap integer default null) returns uuid
    language plpgsql security definer as $$
declare
    v_id uuid;
begin
    insert into public.organizations (name, max_concurrent_calls) values (p_name, p_cap) returning id into v_id;
    insert into public.organization_members (organization_id, user_id, role, is_default)
    values (v_id, p_owner, 'owner', not exists (select from public.organization_members m where m.user_id = p_owner and m.is_default));
    return v_id;
end
$$;

create function tests.provider(p_name text, p_type text default 'vapi', p_max integer default 10, p_priority integer default 5) returns uuid
    language sql security definer as $$
    insert into public.call_service_providers (name, provider_type, api_key, base_url, max_concurrent_calls, priority, starts_per_second)
    values (p_name, p_type, 'sealed:x', 'http://127.0.0.1:1', p_max, p_priority, 1000) returning id
$$;

create function tests.template(p_organization uuid, p_types text[] default '{vapi}', p_params jsonb default '{}') returns uuid
    language plpgsql security definer as $$
declare
    v_id uuid;
begin
    insert into public.call_templates (organization_id, name, params) values (p_organization, 'Reminder', p_params) returning id into v_id;
    insert into public.call_template_targets (template_id, provider_type, assistant) select v_id, t, 'assistant-' || t from unnest(p_types) t;
    return v_id;
end
$$;

-- A queued call that is due.
create function tests.call(p_organization uuid, p_template uuid, p_number text default '+15550100001', p_priority integer default 5,
                           p_max_attempts integer default 3) returns uuid
    language sql security definer as $$
    insert into public.call_queue (organization_id, template_id, recipient_number, priority, max_attempts)
    values (p_organization, p_template, p_number, p_priority, p_max_attempts) returning id
$$;

-- ---- one attempt's way ----------------------------------------------------

-- Claims up to p_limit calls and answers their ids, in the order in which they are dialled.
create function tests.claim(p_limit integer default 10, p_worker text default 'a', p_lease double precision default 30) returns uuid[]
    language sql security definer as $$
    select coalesce(array_agg((d.value ->> 'call_id')::uuid order by d.ordinality), '{}')
      from jsonb_array_elements(public.calls_claim(p_limit, p_worker, p_lease) -> 'dials') with ordinality d
$$;

-- The newest attempt of a call.
create function tests.attempt(p_call uuid) returns public.call_assignments language sql security definer as $$
    select a from public.call_assignments a where a.call_id = p_call order by a.attempt desc limit 1
$$;

-- Claims one call by name, whatever else waits, and marks it as sent.  Answers the attempt's id.
create function tests.sent(p_call uuid) returns uuid language plpgsql security definer as $$
declare
    a public.call_assignments;
begin
    update public.call_queue set priority = 5 where priority = -1000 and status = 'queued';
    update public.call_queue set priority = -1000, ready = true, due_at = least(due_at, clock_timestamp())
     where id = p_call and status = 'queued';
    perform public.calls_claim(1, 'tests', 30);
    a := tests.attempt(p_call);
    if a.state is distinct from 'leased' or cardinality(public.calls_sent(array[a.id], array[a.fence], 10000, 30)) <> 1 then
        raise exception 'call % could not be sent: %', p_call, a.state;
    end if;
    return a.id;
end
$$;

-- One outcome of a dial, recorded with the attempt's own fence.
create function tests.outcome(p_assignment uuid, p_result text, p_more jsonb default '{}') returns text
    language sql security definer as $$
    select public.calls_record(jsonb_build_array(jsonb_build_object('assignment_id', a.id, 'fence', a.fence, 'result', p_result,
               'provider_type', a.provider_type) || p_more)) -> 0 ->> 'state'
      from public.call_assignments a where a.id = p_assignment
$$;

-- A call that a provider has accepted under p_provider_call.  Answers the attempt's id.
create function tests.accepted(p_call uuid, p_provider_call text) returns uuid language plpgsql security definer as $$
declare
    v_id uuid := tests.sent(p_call);
begin
    perform tests.outcome(v_id, 'accepted', jsonb_build_object('provider_call_id', p_provider_call, 'control_url', 'https://control.test/' || p_provider_call));
    return v_id;
end
$$;

-- A report of the attempt by its own mark.
create function tests.report(p_assignment uuid, p_report jsonb) returns text language sql security definer as $$
    select public.call_apply(a.organization_id, 'call', a.provider_type, a.id, a.provider_call_id, p_report)
      from public.call_assignments a where a.id = p_assignment
$$;

create function tests.ended(p_reason text, p_started boolean default true) returns jsonb language sql immutable as $$
    select jsonb_build_object('status', 'ended', 'final', true, 'reason', p_reason, 'ended_at', '2026-01-05T12:01:05Z')
           || case when p_started then jsonb_build_object('started_at', '2026-01-05T12:00:00Z') else '{}' end
$$;

-- Everything that was made so far leaves the queue's way: each case begins on a free road.
create function tests.clear_road() returns void language plpgsql security definer as $$
begin
    set local session_replication_role = replica;
    update public.call_queue set status = 'canceled', ready = false where status in ('queued', 'in-progress');
    update public.call_assignments set state = 'ended', next_look_at = null, finished_at = coalesce(finished_at, now())
     where state in ('leased', 'sent', 'accepted', 'unknown') or finished_at is null;
    update public.call_service_providers set is_active = false;
    set local session_replication_role = origin;
end
$$;

create function tests.queue(p_call uuid) returns public.call_queue language sql security definer as $$
    select q from public.call_queue q where q.id = p_call
$$;

create function tests.record(p_call uuid) returns public.calls language sql security definer as $$
    select c from public.calls c where c.id = p_call
$$;

-- What is left in the end of a call, without the times at which we learnt of it and without what is random.
create function tests.outcome_of(p_call uuid) returns jsonb language sql security definer as $$
    select jsonb_build_object(
        'call', (select to_jsonb(c) - '{id,created_at,updated_at,finished_at,metadata,scheduled_time}'::text[] from public.calls c where c.id = p_call),
        'queue', (select to_jsonb(q) - '{id,position,call_created_at,created_at,updated_at,due_at,expires_at,metadata}'::text[]
                    from public.call_queue q where q.id = p_call),
        'attempts', (select jsonb_agg(to_jsonb(a) - '{id,call_id,call_created_at,created_at,updated_at,worker,lease_until,sent_at,deadline_at,
                                                      accepted_at,finished_at,next_look_at,look_fence,looks,fence,control_url}'::text[] order by a.attempt)
                       from public.call_assignments a where a.call_id = p_call),
        'retries', (select jsonb_agg(to_jsonb(r) - '{id,call_id,call_created_at,assignment_id,delay_seconds,retry_at,created_at}'::text[] order by r.attempt)
                      from public.call_retries r where r.call_id = p_call),
        'usage', (select jsonb_agg(to_jsonb(u) - '{id,call_id,call_created_at,created_at}'::text[] order by u.kind)
                    from public.usage_entries u where u.call_id = p_call),
        'transcript', (select to_jsonb(t) - '{call_id,call_created_at,created_at}'::text[] from public.call_transcripts t where t.call_id = p_call),
        'recording', (select to_jsonb(r) - '{call_id,call_created_at,created_at}'::text[] from public.call_recordings r where r.call_id = p_call),
        'events', (select jsonb_agg(e.type order by e.type) from public.events e where e.subject_id = p_call))
$$;

-- Every order of n things, as arrays of their numbers.
create function tests.orders(p_n integer) returns setof integer[] language sql immutable as $$
    with recursive o(done) as (
        select array[i] from generate_series(1, p_n) i
        union all
        select o.done || i from o, generate_series(1, p_n) i where cardinality(o.done) < p_n and i <> all (o.done))
    select done from o where cardinality(done) = p_n order by done
$$;

-- The error's state and message, or null when there was none.
create function tests.error_of(p_sql text) returns text language plpgsql as $$
begin
    execute p_sql;
    return null;
exception when others then
    return sqlstate || ' ' || sqlerrm;
end
$$;

create function tests.within(p_value numeric, p_least numeric, p_most numeric) returns boolean language sql immutable as $$
    select p_value >= p_least and p_value <= p_most
$$;

grant execute on all functions in schema tests to public;
