-- apply.sql - what a provider says of a call: any order, any number of times; retry, end, and what is never dialled again.
begin;
select no_plan();

select tests.organization('Apply') as org \gset
select tests.organization('Stranger') as stranger \gset
select tests.provider('Apply Vapi', 'vapi', 1000, 1) as vapi \gset
select tests.template(:'org') as template \gset
update public.retry_policies set first_seconds = 100, factor = 2, max_seconds = 300 where class in ('retry_later', 'retry_soon', 'operator_account');

-- ---- every order of the events of one call --------------------------------

-- Plays the reports in the given order (0: our own record of the acceptance), by our mark or by the provider's id alone, each one
-- p_times; answers what is left, and undoes it all.
create function tests.play(p_org uuid, p_template uuid, p_reports jsonb[], p_order integer[], p_by_mark boolean, p_times integer default 1)
    returns jsonb language plpgsql as $$
declare
    v_call uuid := tests.call(p_org, p_template);
    v_attempt uuid := (public.assignments_make(array[v_call], array(select p.id from public.call_service_providers p where p.is_active), 'tests', 30))[1];
    v_id text := 'order-' || v_call;
    v_left jsonb;
    i integer;
begin
    perform public.calls_sent(array[v_attempt], array[1], 10000, 30);
    if 0 <> all (p_order) then
        perform tests.outcome(v_attempt, 'accepted', jsonb_build_object('provider_call_id', v_id));
    end if;
    foreach i in array p_order loop
        for t in 1..p_times loop
            if i = 0 then
                perform tests.outcome(v_attempt, 'accepted', jsonb_build_object('provider_call_id', v_id));
            else
                perform public.webhook_keep('vapi', p_org, 'installation', v_id || i || t, 'status-update', case when p_by_mark then v_attempt end,
                                            v_id, '{}', p_reports[i]::text, 'moves');
            end if;
        end loop;
    end loop;
    if exists (select from public.webhook_events w where w.provider_call_id = v_id and w.state not in ('applied', 'ignored')) then
        raise exception 'an event was left behind';
    end if;
    v_left := replace(tests.outcome_of(v_call)::text, v_id, 'the-id')::jsonb;
    raise exception sqlstate 'UNDOX';
exception when sqlstate 'UNDOX' then
    return v_left;
end
$$;

-- The kinds of end, with all the reports that a provider sends of such a call.
create temporary table stories (name text, reports jsonb[]);
insert into stories values
    ('a call that was talked through', array[
        '{"status":"queued","at":"2026-01-05T12:00:00Z"}', '{"status":"ringing","at":"2026-01-05T12:00:01Z"}',
        '{"status":"in-progress","at":"2026-01-05T12:00:05Z"}', '{"status":"ended","reason":"customer-ended-call","at":"2026-01-05T12:01:05Z"}',
        '{"status":"ended","final":true,"reason":"customer-ended-call","started_at":"2026-01-05T12:00:05Z","ended_at":"2026-01-05T12:01:05Z",
          "transcript":"AI: Hello.","messages":[{"role":"bot"}],"summary":"Greeted.","recording_url":"https://r.test/1","cost_cents":12.5}']::jsonb[]),
    ('a call that nobody took', array[
        '{"status":"queued","at":"2026-01-05T12:00:00Z"}', '{"status":"ringing","at":"2026-01-05T12:00:01Z"}',
        '{"status":"ended","reason":"customer-did-not-answer","at":"2026-01-05T12:01:05Z"}',
        '{"status":"ended","final":true,"reason":"customer-did-not-answer","ended_at":"2026-01-05T12:01:05Z"}']::jsonb[]),
    ('a call that broke while it was talked', array[
        '{"status":"queued","at":"2026-01-05T12:00:00Z"}', '{"status":"ringing","at":"2026-01-05T12:00:01Z"}',
        '{"status":"in-progress","at":"2026-01-05T12:00:05Z"}', '{"status":"ended","reason":"worker-shutdown","at":"2026-01-05T12:01:05Z"}',
        '{"status":"ended","final":true,"reason":"worker-shutdown","started_at":"2026-01-05T12:00:05Z","ended_at":"2026-01-05T12:01:05Z"}']::jsonb[]),
    ('a call with a reason that is in no list', array[
        '{"status":"queued","at":"2026-01-05T12:00:00Z"}', '{"status":"ringing","at":"2026-01-05T12:00:01Z"}',
        '{"status":"ended","reason":"moon-was-full","at":"2026-01-05T12:01:05Z"}',
        '{"status":"ended","final":true,"reason":"moon-was-full","ended_at":"2026-01-05T12:01:05Z"}']::jsonb[]);

create temporary table first_outcomes as
    select s.name, tests.play(:'org', :'template', s.reports, array(select generate_series(1, cardinality(s.reports))), true) as outcome from stories s;

select is(outcome -> 'call' ->> 'status', w.status, f.name || ' ends as ' || w.status)
  from first_outcomes f join (values ('a call that was talked through', 'completed'), ('a call that nobody took', 'queued'),
      ('a call that broke while it was talked', 'failed'), ('a call with a reason that is in no list', 'failed')) w(name, status) using (name)
 order by 1;
select is((select jsonb_build_object('seconds', outcome -> 'call' -> 'duration_seconds', 'started', outcome -> 'call' -> 'started_at',
                                     'text', outcome -> 'transcript' -> 'transcript_text', 'recording', outcome -> 'recording' -> 'recording_url',
                                     'cost', outcome -> 'call' -> 'vapi_cost_cents', 'events', outcome -> 'events',
                                     'usage', (select jsonb_object_agg(u ->> 'kind', u -> 'quantity') from jsonb_array_elements(outcome -> 'usage') u))
             from first_outcomes where name = 'a call that was talked through'),
          '{"seconds":60,"started":"2026-01-05T12:00:05+00:00","text":"AI: Hello.","recording":"https://r.test/1","cost":12.5,
            "events":["call.completed"],"usage":{"calls":1,"seconds":60}}'::jsonb,
          'a finished call leaves duration, transcript, recording, cost, one outgoing event and its usage') ;

select is((select count(*)::integer from tests.orders(cardinality(s.reports)) o(o)
            where tests.play(:'org', :'template', s.reports, o.o, true) is distinct from f.outcome), 0,
          s.name || ': every order of its events gives the same rows')
  from stories s join first_outcomes f using (name) order by s.name;
select is((select count(*)::integer from tests.orders(cardinality(s.reports)) o(o)
            where o.o[1] = 3 and tests.play(:'org', :'template', s.reports, o.o, true, 3) is distinct from f.outcome), 0,
          s.name || ': events that come three times change nothing')
  from stories s join first_outcomes f using (name) order by s.name;
-- The same with our own record of the acceptance somewhere among them (0); in the short form every seventh order.
\set full 0
\getenv full HOOKSWITCH_TEST_FULL
select case when :'full' = '1' then 1 else 7 end as stride \gset
select is((select count(*)::integer from tests.orders(cardinality(s.reports) + 1) with ordinality o(o, i)
            where o.i % :stride = 0 and tests.play(:'org', :'template', s.reports, (select array_agg(x - 1 order by i) from unnest(o.o) with ordinality u(x, i)), true)
                  is distinct from f.outcome), 0,
          s.name || ': it does not matter when the acceptance was recorded')
  from stories s join first_outcomes f using (name) order by s.name;
select is((select count(*)::integer from tests.orders(cardinality(s.reports) + 1) with ordinality o(o, i)
            where o.i % :stride = 0 and tests.play(:'org', :'template', s.reports, (select array_agg(x - 1 order by i) from unnest(o.o) with ordinality u(x, i)), false)
                  is distinct from f.outcome), 0,
          s.name || ': nor when the events carry only the provider''s id')
  from stories s join first_outcomes f using (name) order by s.name;
-- ---- whose event --------------------------------------------------------

select tests.clear_road();
update public.call_service_providers set is_active = true where id = :'vapi';
select tests.call(:'org', :'template') as call \gset
select tests.accepted(:'call', 'mine') as attempt \gset
select is(public.call_apply(:'stranger', 'organization', 'vapi', :'attempt', 'mine', '{"status":"ringing"}'), 'foreign_call',
          'an organization cannot move the call of another by our mark');
select is(public.call_apply(:'stranger', 'organization', 'vapi', null, 'mine', '{"status":"ringing"}'), 'foreign_call',
          'nor by the provider''s id');
select is(public.call_apply(:'org', 'call', 'vapi', gen_random_uuid(), 'mine', '{"status":"ringing"}'), 'foreign_call',
          'a token of one call does not move another');
select is(public.call_apply(:'org', 'organization', 'vapi', :'attempt', 'other', '{"status":"ringing"}'), 'foreign_call',
          'our mark with another provider''s id is not believed');
select is(public.call_apply(:'org', 'organization', 'synthflow', :'attempt', 'mine', '{"status":"ringing"}'), 'foreign_call',
          'nor with another kind of provider');
select is(public.call_apply(:'org', 'organization', 'vapi', null, 'unheard-of', '{"status":"ringing"}'), 'waiting',
          'an event of a call that we do not know waits');
select is((tests.record(:'call')).progress, 'queued', 'none of these moved the call');
select throws_ok(format('select public.call_apply(%L, ''organization'', ''vapi'', %L, ''mine'', ''{"status":"dreaming"}'')', :'org', :'attempt'),
                 null, null, 'a status that we do not understand is an error that the keeper stores');
select is(tests.report(:'attempt', '{"status":"ringing"}'), 'applied', 'its own event moves it');
select is(tests.report(:'attempt', '{"status":"ringing"}'), 'ignored', 'once');
select is(tests.report(:'attempt', '{"status":"queued"}'), 'ignored', 'and never backwards');

-- ---- retry ----------------------------------------------------------------

-- Plays one attempt of p_call to its end; answers the waiting time that was chosen, in seconds, or null when it was not put back.
create function tests.fail_once(p_call uuid, p_reason text, p_started boolean default false) returns numeric language plpgsql as $$
declare
    v_attempt uuid := tests.accepted(p_call, 'fail-' || gen_random_uuid());
begin
    perform tests.report(v_attempt, tests.ended(p_reason, p_started));
    return (select round(extract(epoch from q.due_at - clock_timestamp())) from public.call_queue q where q.id = p_call and q.status = 'queued');
end
$$;

select tests.call(:'org', :'template', '+15550100002', 5, 4) as call \gset
select ok(tests.within(tests.fail_once(:'call', 'customer-busy'), 89, 111), 'busy: dialled again after the first wait of its class');
select ok(tests.within(tests.fail_once(:'call', 'customer-busy'), 179, 221), 'the next wait is twice as long');
select ok(tests.within(tests.fail_once(:'call', 'customer-busy'), 269, 331), 'up to the longest');
select is(tests.fail_once(:'call', 'customer-busy'), null, 'and after max_attempts no more');
select results_eq(format('select status, attempts, retry_count from public.call_queue where id = %L', :'call'),
                  $$values ('failed', 4, 3)$$, 'the call has failed after four attempts and three redials');
select results_eq(format('select attempt, reason, end_class from public.call_retries where call_id = %L order by attempt', :'call'),
                  $$values (1, 'customer-busy', 'retry_later'), (2, 'customer-busy', 'retry_later'), (3, 'customer-busy', 'retry_later')$$,
                  'each redial has its row and its reason');
select is((tests.record(:'call')).ended_reason, 'customer-busy', 'the call keeps the provider''s own reason');
select results_eq(format('select kind, quantity from public.usage_entries where call_id = %L order by kind', :'call'),
                  $$values ('calls', 1::numeric), ('seconds', 0::numeric)$$, 'a call is counted once, however often it was dialled');

update public.call_service_providers set retry_scale = 0.01 where id = :'vapi';
select tests.call(:'org', :'template', '+15550100003', 5, 4) as call \gset
select ok(tests.within(tests.fail_once(:'call', 'customer-busy'), 0, 2), 'the provider''s scale shortens the waits');
update public.call_service_providers set retry_scale = 1 where id = :'vapi';

insert into public.call_queue (organization_id, template_id, recipient_number, expires_at)
values (:'org', :'template', '+15550100004', now() + interval '50 seconds') returning id as call \gset
select is(tests.fail_once(:'call', 'customer-busy'), null, 'a redial that would come after the call expires is not made');
select is((tests.queue(:'call')).status, 'failed', 'such a call has failed');

-- One reason of each class.
select tests.call(:'org', :'template') as call \gset
select is(tests.fail_once(:'call', 'customer-ended-call', true), null, 'class finished: over');
select is((tests.queue(:'call')).status, 'completed', 'and completed');
select tests.call(:'org', :'template') as call \gset
select ok(tests.within(tests.fail_once(:'call', 'assistant-request-failed'), 89, 111), 'class retry_soon: dialled again');
select tests.call(:'org', :'template') as call \gset
select is(tests.fail_once(:'call', 'assistant-request-failed', true), null, 'class retry_soon, but somebody had answered: nobody is called twice');
select is((tests.queue(:'call')).status, 'failed', 'such a call has failed');
select reason as never from public.end_reasons where provider_type = 'vapi' and class = 'never' order by 1 limit 1 \gset
select tests.call(:'org', :'template') as call \gset
select is(tests.fail_once(:'call', :'never'), null, 'class never: not dialled again');
select is((tests.queue(:'call')).status, 'failed', 'and failed');
select reason as config from public.end_reasons where provider_type = 'vapi' and class = 'operator_config' and refusal is null order by 1 limit 1 \gset
select tests.call(:'org', :'template') as call \gset
select is(tests.fail_once(:'call', :'config'), null, 'class operator_config: not dialled again, it would fail again');

-- Voicemail.
select tests.call(:'org', :'template') as call \gset
select ok(tests.fail_once(:'call', 'voicemail', true) is not null, 'voicemail is not a person: dialled again');
select tests.call(:'org', tests.template(:'org', '{vapi}', '{"voicemail":"accept"}')) as call \gset
select is(tests.fail_once(:'call', 'voicemail', true), null, 'where the template accepts voicemail it is not dialled again');
select is((tests.queue(:'call')).status, 'completed', 'there it is completed');

-- A reason in no list.
select tests.call(:'org', :'template') as call \gset
select coalesce((select seen from public.end_reasons_unlisted where reason = 'sunspots'), 0) as seen \gset
select is(tests.fail_once(:'call', 'sunspots'), null, 'a reason in no list is not dialled again');
select is((tests.record(:'call')).ended_reason, 'sunspots', 'it is kept');
select is((select seen from public.end_reasons_unlisted where provider_type = 'vapi' and reason = 'sunspots'), :seen + 1::bigint, 'and counted');
select tests.call(:'org', :'template') as call \gset
select tests.fail_once(:'call', 'sunspots', true);
select is((tests.queue(:'call')).status, 'completed', 'where somebody had answered it counts as completed');

-- ---- the provider's own refusals --------------------------------------------

select tests.provider('Apply Vapi two', 'vapi', 1000, 2) as second \gset
select tests.call(:'org', :'template', '+15550100009', 5, 1) as call \gset
select tests.fail_once(:'call', 'call.start.error-subscription-concurrency-limit-reached') as wait \gset
select is((tests.queue(:'call')).status, 'queued', 'concurrency at the provider puts the call back although it has one attempt only');
select ok((tests.queue(:'call')).ready, 'at once');
select is((tests.queue(:'call')).attempts, 0, 'it costs no attempt');
select is((tests.queue(:'call')).retry_count, 0, 'and no redial');
select ok((select cooling_until > clock_timestamp() and failures = 1 and cooling_reason = 'concurrency'
             from public.call_service_providers where id = :'vapi'), 'the provider rests');
select tests.claim(5) \g /dev/null
select is((tests.attempt(:'call')).provider_id, :'second'::uuid, 'and the next provider is asked');
select is((tests.attempt(:'call')).attempt, 2, 'as a second try');

-- ---- cancel -----------------------------------------------------------------

select tests.clear_road();
update public.call_service_providers set is_active = true, cooling_until = null, failures = 0 where id = :'vapi';
select tests.call(:'org', :'template') as call \gset
select lives_ok(format('select public.call_cancel(%L)', :'call'), 'a waiting call can be canceled');
select is((tests.record(:'call')).status, 'canceled', 'at once');
select throws_ok(format('select public.call_cancel(%L)', :'call'), 'PT409', 'call_ended', 'but only once');
select is((select count(*)::integer from public.usage_entries where call_id = :'call'), 0, 'what was never dialled costs nothing');

select tests.call(:'org', :'template') as call \gset
select tests.claim(1) \g /dev/null
select public.call_cancel(:'call');
select is((tests.record(:'call')).status, 'canceled', 'a claimed call that was not sent is canceled at once');
select is(cardinality(public.calls_sent(array[(tests.attempt(:'call')).id], array[(tests.attempt(:'call')).fence], 1000, 30)), 0,
          'and cannot be sent any more');

select tests.call(:'org', :'template') as call \gset
select tests.accepted(:'call', 'hang-me-up') as attempt \gset
select public.call_cancel(:'call');
select is((tests.record(:'call')).status, 'in-progress', 'a live call goes on until the provider has hung up');
select lives_ok(format('select public.call_cancel(%L)', :'call'), 'asking twice is harmless');
select is(tests.report(:'attempt', tests.ended('customer-busy', false)), 'applied', 'then its end');
select is((tests.record(:'call')).status, 'canceled', 'is canceled, and it is not dialled again');
select is((select array_agg(type) from public.events where subject_id = :'call'), '{call.canceled}', 'with one outgoing event');

-- ---- the end is final --------------------------------------------------------

select tests.call(:'org', :'template') as call \gset
select tests.accepted(:'call', 'late-report') as attempt \gset
select tests.report(:'attempt', tests.ended('customer-ended-call')) \g /dev/null
select is(tests.report(:'attempt', tests.ended('customer-busy', false)), 'ignored', 'a second report does not reopen a call');
select is((tests.record(:'call')).ended_reason, 'customer-ended-call', 'nor change its reason');
select is((select data ->> 'status' from public.events where subject_id = :'call' and type = 'call.completed'), 'completed',
          'the outgoing event shows the call as it ended');
select ok(not public.call_close(:'call', (tests.record(:'call')).created_at, 'failed', 'again', null), 'closing it again changes nothing');

-- An end without its report is closed by patience; the report then still fills in what it tells.
select tests.call(:'org', :'template') as call \gset
select tests.accepted(:'call', 'no-report') as attempt \gset
select tests.report(:'attempt', '{"status":"in-progress","at":"2026-01-05T12:00:00Z"}') \g /dev/null
select tests.report(:'attempt', jsonb_build_object('status', 'ended', 'reason', 'customer-ended-call', 'at', clock_timestamp())) \g /dev/null
select is((tests.record(:'call')).status, 'in-progress', 'an ended call waits for its report');
select public.look_again(a, p) from public.call_assignments a, public.call_service_providers p
 where a.id = :'attempt' and p.id = a.provider_id \g /dev/null
select is((tests.record(:'call')).status, 'in-progress', 'for a while');
update public.call_assignments set ended_at = clock_timestamp() - interval '601 seconds' where id = :'attempt';
select public.look_again(a, p) from public.call_assignments a, public.call_service_providers p
 where a.id = :'attempt' and p.id = a.provider_id \g /dev/null
select is((tests.record(:'call')).status, 'completed', 'then it is closed with what is known');
select is(tests.report(:'attempt', tests.ended('customer-ended-call') || '{"transcript":"AI: Bye."}'), 'applied', 'its report may still come');
select is((select quantity from public.usage_entries where call_id = :'call' and kind = 'seconds'), 65::numeric, 'and its seconds are counted then');
select is((select transcript_text from public.call_transcripts where call_id = :'call'), 'AI: Bye.', 'with its transcript');
select is(tests.report(:'attempt', tests.ended('customer-ended-call')), 'ignored', 'once');

select * from finish();
rollback;
