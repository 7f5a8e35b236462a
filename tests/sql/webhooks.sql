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
                           p_signer text default 'organization', p_provider text default 'vapi') returns text language sql as $$
    select public.webhook_keep(p_provider, p_organization, p_signer, p_key, 'status-update', p_assignment, p_call, '{"raw":true}', p_report, p_class)
$$;
create function tests.event(p_key text) returns public.webhook_events language sql as $$
    select e from public.webhook_events e where e.key = p_key
$$;

-- ---- kept and deduplicated ----------------------------------------------------

select is(tests.keep(:'org', 'k1', 'kept'), 'kept', 'an event that moves nothing is kept');
select results_eq($$select state, body, report, try_at from public.webhook_events where key = 'k1'$$, $$values ('kept', '{"raw":true}', null::text, null::timestamptz)$$, 'as it came');
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
select results_eq($$select state, apply_error, report from public.webhook_events where key = 'k9'$$, $$values ('applied', null::text, null::text)$$, 'then it is applied');
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
