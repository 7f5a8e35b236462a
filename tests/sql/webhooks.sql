-- webhooks.sql - events that come in: kept, deduplicated and applied in one statement.
begin;
select no_plan();

select tests.organization('Webhooks') as org \gset
select tests.organization('Stranger') as other \gset
select tests.provider('Webhooks Vapi', 'vapi', 1000) as vapi \gset
select tests.template(:'org') as template \gset
select tests.call(:'org', :'template') as call \gset
select tests.accepted(:'call', 'wh-1') as attempt \gset

create function tests.keep(p_organization uuid, p_key text, p_class text, p_call text default null, p_report text default null, p_assignment uuid default null,
                           p_signer text default 'installation', p_provider text default 'vapi') returns text language sql as $$
    select public.webhook_keep(p_provider, p_organization, p_signer, p_key, 'status-update', p_assignment, p_call, '{"raw":true}', p_report, p_class)
$$;
create function tests.event(p_key text) returns public.webhook_events language sql as $$
    select e from public.webhook_events e where e.key = p_key
$$;

-- ---- kept and deduplicated ----------------------------------------------------

select is(tests.keep(:'org', 'k1', 'kept'), 'kept', 'an event that moves nothing is kept');
select results_eq($$select state::text, body, report, try_at from public.webhook_events where key = 'k1'$$, $$values ('kept', '{"raw":true}', null::text, null::timestamptz)$$, 'as it came');
select is(tests.keep(:'org', 'k1', 'kept'), 'duplicate', 'the second time it is a duplicate');
select is((select count(*)::integer from public.webhook_events where key = 'k1'), 1, 'and not kept again');
select is(tests.keep(:'other', 'k1', 'kept'), 'kept', 'another organization''s event with the same key is another event');
select is(tests.keep(:'org', 'k1', 'kept', p_provider => 'synthflow'), 'kept', 'and another provider''s too');
select is(tests.keep(:'org', 'k2', 'unknown'), 'unknown', 'a shape that we do not understand is kept as such');

-- ---- applied --------------------------------------------------------------------

select is(tests.keep(:'org', 'k3', 'moves', 'wh-1', '{"status":"ringing"}'), 'applied', 'an event that moves a call is applied');
select is((tests.record(:'call')).progress, 'ringing', 'at once');
select is((tests.event('k3')).report, null, 'its report is not kept twice');
select is(tests.keep(:'org', 'k3', 'moves', 'wh-1', '{"status":"in-progress"}'), 'duplicate', 'the same key does not move it again');
select is(tests.keep(:'org', 'k4', 'moves', 'wh-1', '{"status":"queued"}'), 'ignored', 'one that comes too late is kept and ignored');
select is(tests.keep(:'other', 'k5', 'moves', 'wh-1', '{"status":"ended","final":true,"reason":"customer-busy"}'), 'foreign_call', 'a stranger''s event is kept as such');
select is((tests.record(:'call')).status, 'in-progress', 'and moves nothing');
select is(tests.keep(:'org', 'k6', 'kept', 'another', null, :'attempt', 'call'), 'foreign_call', 'a call''s token with another call''s id is foreign too');

-- ---- an effect that fails ----------------------------------------------------------

select is(tests.keep(:'org', 'k7', 'moves', 'wh-1', '{"status":"dreaming"}'), 'failed', 'an event whose effect fails is kept');
select ok((tests.event('k7')).apply_error like '%dreaming%', 'with the error');
select is(tests.keep(:'org', 'k8', 'moves', 'wh-1', 'not json'), 'failed', 'one whose report cannot be read too');
create function tests.broken() returns trigger language plpgsql as $$ begin raise exception 'the disk of history is full'; end $$;
create trigger zz_broken before insert on public.call_transcripts for each row execute function tests.broken();
select is(tests.keep(:'org', 'k9', 'moves', 'wh-1', '{"status":"ended","final":true,"reason":"customer-ended-call","started_at":"2026-01-05T12:00:00Z","ended_at":"2026-01-05T12:01:00Z","transcript":"AI: Hi."}'),
          'failed', 'an end that cannot be written is kept');
select is((tests.record(:'call')).status, 'in-progress', 'nothing of it is half done');
select is((select count(*)::integer from public.usage_entries where call_id = :'call'), 0, 'nor counted');
update public.webhook_events set try_at = clock_timestamp() - interval '1 second' where key = 'k9';
select is(public.webhook_sweep(), 0, 'it is tried again by the pump');
select is((tests.event('k9')).tries, 1, 'and its tries are counted');
select ok((tests.event('k9')).try_at > clock_timestamp(), 'with a wait between');
drop trigger zz_broken on public.call_transcripts;
select is(public.webhook_sweep(), 0, 'not before its time');
update public.webhook_events set try_at = clock_timestamp() - interval '1 second' where key = 'k9';
select is(public.webhook_sweep(), 1, 'until it goes');
select results_eq($$select state::text, apply_error, report from public.webhook_events where key = 'k9'$$, $$values ('applied', null::text, null::text)$$, 'then it is applied');
select is((tests.record(:'call')).status, 'completed', 'and the call has its end');

-- ---- events of calls that are not known yet ------------------------------------------

select is(tests.keep(:'org', 'k10', 'moves', 'wh-2', '{"status":"ringing"}'), 'waiting', 'an event of a call that we do not know waits');
select tests.call(:'org', :'template') as call \gset
select tests.accepted(:'call', 'wh-2') as attempt \gset
select is((tests.event('k10')).state, 'applied', 'until the call is known');
select is(tests.keep(:'org', 'k11', 'moves', 'wh-3', '{"status":"ringing"}'), 'waiting', 'one whose call never comes');
update public.webhook_events set try_at = clock_timestamp() - interval '1 second' where key = 'k11';
select is(public.webhook_sweep(), 0, 'waits on');
update public.webhook_events set try_at = clock_timestamp() - interval '1 second', received_at = now() - interval '25 hours' where key = 'k11';
select public.webhook_sweep() \g /dev/null
select is((tests.event('k11')).state, 'unmatched', 'for a day');
select is((tests.event('k11')).report, null, 'and then no longer');

-- ---- several at once ----------------------------------------------------------------------

select tests.clear_road();
update public.call_service_providers set is_active = (id = :'vapi');
select tests.call(:'org', :'template') as first_call \gset
select tests.accepted(:'first_call', 'many-1') as first \gset
select tests.call(:'org', :'template') as second_call \gset
select tests.accepted(:'second_call', 'many-2') as second \gset

-- One row a word: organization, key, class, call, report, attempt, signer.
create function tests.keep_many(variadic p_events jsonb[]) returns text[] language sql as $$
    select public.webhook_keep_many('vapi', array_agg(e ->> 0), array_agg(coalesce(e ->> 6, 'installation')), array_agg(e ->> 1),
               array_agg('status-update'::text), array_agg(e ->> 5), array_agg(e ->> 3), array_agg('body of ' || (e ->> 1)), array_agg(e ->> 4), array_agg(e ->> 2))
      from (select e from unnest(p_events) with ordinality u(e, n) order by n) x
$$;
create function tests.states(p_keys text) returns text[] language sql as $$
    select array_agg(e.key || ' ' || e.state order by e.key, e.id) from public.webhook_events e where e.key like p_keys
$$;

select is(tests.keep_many(jsonb_build_array(:'org', 'm9', 'kept'), jsonb_build_array(:'org', 'm1', 'unknown'), jsonb_build_array(:'org', 'm5', 'answer'),
                          jsonb_build_array(:'org', 'm3', 'moves', 'many-1', '{"status":"ringing"}', :'first')),
          '{kept,unknown,kept,applied}', 'events that come together are told their states in the order given');
select is(tests.states('m_'), '{m1 unknown,m3 applied,m5 kept,m9 kept}', 'each is kept');
select is(array(select body from public.webhook_events where key like 'm_' order by key), '{body of m1,body of m3,body of m5,body of m9}', 'with its own body');
select is((tests.record(:'first_call')).progress, 'ringing', 'and one that moves a call moves it');
select is(tests.keep_many(jsonb_build_array(:'org', 'm9', 'kept'), jsonb_build_array(:'org', 'n1', 'kept'),
                          jsonb_build_array(:'org', 'm3', 'moves', 'many-1', '{"status":"in-progress"}', :'first')),
          '{duplicate,kept,duplicate}', 'what is known already is a duplicate, and the others are kept');
select is((tests.record(:'first_call')).progress, 'ringing', 'a duplicate moves nothing');
select is(tests.keep_many(jsonb_build_array(:'org', 'o1', 'kept'), jsonb_build_array(:'other', 'o1', 'kept'), jsonb_build_array(:'org', 'o1', 'kept')),
          '{kept,kept,duplicate}', 'of equal ones the first is kept, and another organization''s is another');
select is(tests.keep_many(jsonb_build_array(:'org', 'p1', 'moves', 'many-2', '{"status":"in-progress"}', :'second'),
                          jsonb_build_array(:'org', 'p2', 'moves', 'many-1', '{"status":"in-progress"}', :'first'),
                          jsonb_build_array(:'org', 'p3', 'moves', 'many-2', '{"status":"ringing"}', :'second'),
                          jsonb_build_array(:'org', 'p4', 'moves', 'many-1', '{"status":"dreaming"}', :'first'),
                          jsonb_build_array(:'other', 'p5', 'moves', 'many-1', '{"status":"ended"}', :'first')),
          '{applied,applied,ignored,failed,foreign_call}', 'those of several calls are applied in their order, each by itself');
select is(array[(tests.record(:'first_call')).progress, (tests.record(:'second_call')).progress], '{in-progress,in-progress}', 'one that fails takes none with it');
select ok((tests.event('p4')).apply_error like '%dreaming%' and (tests.event('p4')).report is not null, 'and is kept with its error, for later');
select is(tests.keep_many(jsonb_build_array(:'org', 'q1', 'kept', 'another', null, :'first', 'call'), jsonb_build_array(:'org', 'q1', 'kept', 'many-1', null, :'first', 'call'),
                          jsonb_build_array(:'org', 'q1', 'kept', 'another', null, :'first', 'call')),
          '{foreign_call,kept,duplicate}', 'one that only pretends to be another does not stand in that one''s way');
select is(tests.keep_many(jsonb_build_array(:'org', 'r1', 'moves', 'many-1', '{"status":"ended"}'), jsonb_build_array(:'org', 'r2', 'look', 'many-1'),
                          jsonb_build_array(:'org', 'r3', 'moves', 'many-3', '{"status":"ringing"}', gen_random_uuid()), jsonb_build_array(:'org', 'r3', 'kept')),
          '{NULL,NULL,NULL,kept}', 'those without an attempt that we know are left for a statement of their own');
select is(tests.states('r_'), '{"r3 kept"}', 'and not touched');
select throws_ok(format($$select tests.keep_many(jsonb_build_array(%L, 's1', 'kept'), jsonb_build_array('nobody', 's2', 'kept'))$$, :'org'), '22P02', null,
                 'one that cannot be kept is told');
select is(tests.states('s_'), null, 'and then none is kept');

-- Every pair of events, alone one after the other and together, ends the same.
create function tests.pair(p_together boolean, variadic p_events jsonb[]) returns text language plpgsql as $$
declare
    v_states text[];
    v_result text;
begin
    begin
        if p_together then
            v_states := tests.keep_many(variadic p_events);
        else
            v_states := array(select tests.keep((e ->> 0)::uuid, e ->> 1, e ->> 2, e ->> 3, e ->> 4, (e ->> 5)::uuid, e ->> 6)
                                from unnest(p_events) with ordinality u(e, n) order by n);
        end if;
        v_result := v_states::text || (select array_agg(e.key || e.state order by e.key, e.state)::text from public.webhook_events e where e.key like 'pair%')
                    || (select array_agg(k.key order by k.key)::text from public.webhook_event_keys k where k.key like '%pair%');
        raise exception 'undone' using errcode = 'ZZ000';
    exception when sqlstate 'ZZ000' then
        return v_result;
    end;
end
$$;
create temporary table various (event jsonb);
insert into various
select jsonb_build_array(o, k, c, p, case c when 'moves' then '{"status":"forwarding"}' end, :'first', s)
  from unnest(array[:'org', :'other']) o, unnest('{pair1,pair2}'::text[]) k, unnest('{kept,unknown,moves}'::text[]) c, unnest('{many-1,many-9}'::text[]) p,
       unnest('{call,organization}'::text[]) s;
select is_empty($$select a.event, b.event, tests.pair(true, a.event, b.event), tests.pair(false, a.event, b.event) from various a, various b
                   where a.event ->> 1 = 'pair1' and tests.pair(true, a.event, b.event) is distinct from tests.pair(false, a.event, b.event)$$,
                'whatever comes together, it ends as if one had come after the other');

-- ---- a provider that only says: look ---------------------------------------------------

select tests.clear_road();
update public.call_service_providers set is_active = false;
select tests.provider('Webhooks Flow', 'synthflow', 1000) as flow \gset
select tests.template(:'org', '{synthflow}') as flow_template \gset
select tests.call(:'org', :'flow_template') as call \gset
select tests.accepted(:'call', 'sf-1') as attempt \gset
select tests.outcome_of(:'call') as before \gset
select ok((tests.attempt(:'call')).next_look_at > clock_timestamp(), 'a call is not looked up at once');
select is(tests.keep(:'org', 's1', 'look', 'sf-1', '{"status":"ended","final":true,"reason":"completed"}', p_provider => 'synthflow'), 'applied', 'a weak event is kept');
select is(tests.outcome_of(:'call'), :'before'::jsonb, 'whatever it says, it changes nothing of the call');
select ok((tests.attempt(:'call')).next_look_at <= clock_timestamp(), 'but the time of the next look');
select is(tests.keep(:'other', 's2', 'look', 'sf-1', p_provider => 'synthflow'), 'foreign_call', 'a stranger''s not even that');
select is(tests.keep(:'org', 's3', 'look', 'sf-2', p_provider => 'synthflow'), 'waiting', 'an unknown call''s waits');
select tests.call(:'org', :'flow_template') as later \gset
select tests.accepted(:'later', 'sf-2') \g /dev/null
select is((tests.event('s3')).state, 'applied', 'for its call');
select tests.report(:'attempt', tests.ended('completed')) \g /dev/null
select is(tests.keep(:'org', 's4', 'look', 'sf-1', p_provider => 'synthflow'), 'ignored', 'a call that is over is not looked at again');

-- ---- counters and secrets ---------------------------------------------------------------

select public.webhook_count('vapi', 'speech-update'), public.webhook_count('vapi', 'speech-update', 4);
select is((select seen from public.webhook_counts where provider = 'vapi' and type = 'speech-update'), 5::bigint, 'chatter is counted');
insert into public.webhook_secrets (organization_id, provider, kind, secret, valid_until) values
    (:'org', 'vapi', 'bearer', 'sealed:new', null), (:'org', 'vapi', 'bearer', 'sealed:old', now() + interval '1 hour'),
    (:'org', 'vapi', 'bearer', 'sealed:gone', now() - interval '1 second'), (:'org', 'synthflow', 'call_id', 'sealed:flow', null),
    (:'other', 'vapi', 'bearer', 'sealed:others', null);
select is((select array_agg(secret order by secret) from public.webhook_secrets_of('vapi', :'org')), '{sealed:new,sealed:old}', 'while a secret is rotated both are valid');

select * from finish();
rollback;
