-- work.sql - runs of workflows: every state, every move that is refused, what a step's result makes of its run.
begin;
select no_plan();

\i :tests/sql/helpers/work.sql

-- ---- start ---------------------------------------------------------------------

select ok(public.work_start('w1', 'test', '{"n":1}'), 'a run is started');
select ok(not public.work_start('w1', 'other', '{"n":2}'), 'the same id again is the same run');
select is((tests.work_run('w1')).input, '{"n":1}', 'as it was');
select throws_ok($$select public.work_start('', 'test')$$, '23514', null, 'a run has an id');
select throws_ok($$select public.work_start(E'a\nb', 'test')$$, '23514', null, 'of one line');
select throws_ok($$select public.work_start('x', 'test', '[]')$$, '23514', null, 'and an object as its input');
select ok(public.work_start('later', 'test', '{}', null, now() + interval '10 years'), 'a run may be due in ten years');
select ok(public.work_start('strange', 'unheard-of'), 'a workflow need not be known');

-- ---- claim, lease, fence ---------------------------------------------------------

select ok(public.work_due('{test}'), 'something is due');
select ok(not public.work_due('{nothing}'), 'but not of other workflows');
select is(tests.work_claim(), 'w1', 'what is due is claimed: neither the future nor strange workflows');
select is((tests.work_run('w1')).state, 'working', 'it is worked on');
select is(((tests.work_run('w1')).fence, (tests.work_run('w1')).worker)::text, '(1,me)', 'by us');
select is(tests.work_claim(), null, 'nobody else gets it');
select ok(not public.work_due('{test}'), 'and nothing is due');
select tests.work_now('w1');
select is(public.work_claim('{test}', 10, 'other', 15, true) ->> 'rescued', '1', 'until its lease has run out');
select is((tests.work_run('w1')).fence, 2::bigint, 'with another fence');
select is(public.work_record('[{"run":"w1","fence":1,"moves":0,"step":"a","verdict":"done"}]', tests.work_table(), 15, true), '[]',
          'who held it before is not heard any more');
select is(public.work_intent('[{"run":"w1","fence":1,"step":"a"}]', 15), '[]', 'and may send nothing');
select is(public.work_renew('{w1,w1}', '{1,7}', 15), '{}', 'nor renew');
select is(public.work_renew('{w1}', '{2}', 15), '{w1}', 'the holder may');
update public.workflow_runs set due_at = now() - interval '1 second' where id = 'w1';
select is(public.work_intent('[{"run":"w1","fence":2,"step":"a"}]', 15), '[]', 'a lease that ran out sends nothing, be it nobody else''s yet');
update public.workflow_runs set due_at = now() + interval '1 minute' where id = 'w1';
select public.work_start('p' || i, 'test') from generate_series(1, 5) i \g /dev/null
select is(tests.work_claim(2), 'p1,p2', 'the oldest first, and no more than asked for');
select is(tests.work_claim(), 'p3,p4,p5', 'then the others');
delete from public.workflow_runs where id like 'p_';

-- ---- one step after the other -------------------------------------------------------

select is(tests.work_intent('w1', 'a') -> 0, '{"run":"w1","step":"a","undo":false,"key":"w1:1:a","attempt":1,"prepared":null}', 'the intent is written');
select is((tests.work_row('w1', 'a')).state, 'sent', 'before anything is sent');
select is(tests.work_say('w1', '{"step":"a","verdict":"done","result":{"id":"x","secret":"y"}}'), 'working b', 'a result leads to the next step');
select is((tests.work_row('w1', 'a')).result, '{"id":"x"}', 'of which named fields are kept');
select is(public.work_record('[{"run":"w1","fence":2,"moves":0,"step":"a","verdict":"failed"}]', tests.work_table(), 15, true) -> 0 ->> 'state', 'working',
          'the same result twice');
select is((tests.work_run('w1')).step, 'b', 'moves it once');
select is((tests.work_row('w1', 'a')).state, 'done', 'and is not computed again');
select tests.work_intent('w1', 'b'), tests.work_intent('w1', 'c') \g /dev/null
select is(tests.work_say('w1', '{"step":"b","verdict":"done"}'), 'working', 'of two that run together one is done: the other is still under way');
select is(tests.work_say('w1', '{"step":"c","verdict":"retry","reason":"busy"}'), 'ready', 'it is to be tried again: the run waits');
select is(((tests.work_row('w1', 'c')).reason, (tests.work_run('w1')).last_error)::text, '(busy,busy)', 'and says why');
select ok(tests.within(extract(epoch from (tests.work_run('w1')).due_at - clock_timestamp())::numeric, 0.8, 1.2), 'for the first delay');
select tests.work_now('w1'), tests.work_claim() \g /dev/null
select is(tests.work_intent('w1', 'c') -> 0 ->> 'attempt', '2', 'a second attempt');
select is(tests.work_say('w1', '{"step":"c","verdict":"done"}'), 'working d', 'both are done: on it goes');
select is(tests.work_done('w1', 'd'), 'done', 'to its end');
select is(((tests.work_run('w1')).due_at, (tests.work_run('w1')).finished_at is null)::text, '(,f)', 'what is over is never due');
select is(tests.work_say('w1', '{"step":"d","verdict":"failed"}'), 'not ours', 'and moves no more');
select is(jsonb_array_length(public.work_run_view('w1') -> 'steps'), 4, 'its history is there');
select is(public.work_run_view('none'), null, 'there is no other');

-- ---- retries ----------------------------------------------------------------------------

select is(tests.work_fresh('r1'), 'r1', 'a run that is refused');
select is(tests.work_say('r1', '{"step":"a","verdict":"retry","sql":true,"retry_ms":60000}'), 'ready', 'a provider may ask for a longer time');
select ok(tests.within(extract(epoch from (tests.work_run('r1')).due_at - clock_timestamp())::numeric, 58, 61), 'and gets it');
select tests.work_now('r1'), tests.work_claim() \g /dev/null
select is(tests.work_say('r1', '{"step":"a","verdict":"retry","sql":true}'), 'ready', 'a second time');
select ok(tests.within(extract(epoch from (tests.work_run('r1')).due_at - clock_timestamp())::numeric, 1.8, 2.4), 'waits longer');
select tests.work_now('r1'), tests.work_claim() \g /dev/null
select is(tests.work_say('r1', '{"step":"a","verdict":"retry","sql":true,"reason":"busy"}'), 'failed', 'attempts come to an end');
select is((tests.work_run('r1')).last_error, 'a: busy', 'in a dead letter that says why');
select ok(public.work_redrive('r1') and not public.work_redrive('r1'), 'which is redriven, once');
select is((tests.work_row('r1', 'a')).tries, 0, 'with all its attempts');
select tests.work_claim() \g /dev/null
select is(tests.work_say('r1', '{"step":"a","verdict":"failed","sql":true,"reason":"http_422"}'), 'failed', 'a refusal is no retry');
select is((public.work_wait_ms(tests.work_step(), 30, null) between 5000 and 5500), true, 'no wait is longer than the longest');

select tests.work_fresh('r2', 'b') \g /dev/null
select is(tests.work_say('r2', '{"step":"c","verdict":"retry","sql":true}'), 'working b', 'the other one of two was not begun: the run goes on');
update public.workflow_steps set started_at = now() - interval '1 minute' where run_id = 'r2' and step = 'c';
select is(tests.work_say('r2', '{"step":"c","verdict":"retry","sql":true}'), 'failed', 'the time of a step comes to an end, too');
select is((tests.work_run('r2')).last_error, 'c: time_used_up', 'and it says so');

-- ---- unknown -------------------------------------------------------------------------------

select tests.work_fresh('u1', 'b'), tests.work_intent('u1', 'b'), tests.work_done('u1', 'c') \g /dev/null
select is(tests.work_say('u1', '{"step":"b","verdict":"unknown","stored":true}'), 'ready', 'an unknown outcome waits');
select is(((tests.work_row('u1', 'b')).state, (tests.work_row('u1', 'b')).look_first)::text, '(unknown,t)', 'for a look');
select tests.work_now('u1'), tests.work_claim() \g /dev/null
select is(tests.work_say('u1', '{"step":"b","verdict":"unknown","looked":1}'), 'ready', 'which may have to be made again');
select tests.work_now('u1'), tests.work_claim() \g /dev/null
select is(tests.work_say('u1', '{"step":"b","verdict":"absent","looked":1,"suffix":true}'), 'working b', 'it is not there: it may be sent again');
select is(((tests.work_row('u1', 'b')).looks, (tests.work_row('u1', 'b')).look_first, (tests.work_row('u1', 'b')).first_sent_at)::text, '(2,f,)', 'as if anew');
select is(tests.work_intent('u1', 'b') -> 0 ->> 'key', 'u1:1:b:s1', 'under another key');
select is(tests.work_say('u1', '{"step":"b","verdict":"unknown"}'), 'ready', 'unknown again');
update public.workflow_steps set started_at = now() - interval '2 days' where run_id = 'u1' and step = 'b';
select tests.work_now('u1'), tests.work_claim() \g /dev/null
select is(tests.work_say('u1', '{"step":"b","verdict":"unknown","looked":1}'), 'failed', 'after a day nobody asks any more');
select is((tests.work_run('u1')).last_error, 'b: outcome_unknown', 'and it is not known');
select public.work_redrive('u1') \g /dev/null
select is((tests.work_row('u1', 'b')).state, 'unknown', 'redriven, it is looked up and not simply done again');
select ok(length(public.work_key(repeat('x', 250), tests.work_row('u1', 'b'))) = 64, 'a long key is a digest');
select ok(public.work_key('läuft', tests.work_row('u1', 'b')) ~ '^[0-9a-f]{64}$', 'and so is one that a header cannot hold');

-- ---- effects here ------------------------------------------------------------------------------

create function public.test_work_apply(p_run jsonb) returns jsonb language plpgsql as $$
begin
    insert into public.workflow_signals (run_id, id, name) values (p_run ->> 'id', 'applied-' || (p_run ->> 'attempt'), 'applied');
    if p_run -> 'input' ->> 'n' = '1' then
        raise exception 'not_found' using errcode = 'PT404';
    end if;
    return jsonb_build_object('result', jsonb_build_object('id', p_run -> 'result' -> 'id', 'no', 1), 'next', 'd');
end
$$;
grant execute on function public.test_work_apply(jsonb) to hookswitch_pump;
create function tests.work_applied() returns jsonb language sql as $$
    select tests.work_table(jsonb_build_object('steps', tests.work_table() -> 'test' -> 'steps'
        || jsonb_build_object('a', tests.work_step('{"group":["a"],"next":"b","apply":"test_work_apply"}'))))
$$;
select public.work_start('e1', 'test', '{"n":1}'), public.work_start('e2', 'test', '{"n":2}'), public.work_start('e3', 'test', '{"n":1}') \g /dev/null
select tests.work_claim(), tests.work_intent('e3', 'a') \g /dev/null
select is((select jsonb_object_agg(x ->> 'id', x ->> 'state') from jsonb_array_elements(public.work_record(
              '[{"run":"e1","fence":1,"moves":0,"step":"a","verdict":"done","sql":true},
                {"run":"e2","fence":1,"moves":0,"step":"a","verdict":"done","sql":true,"result":{"id":"7"}},
                {"run":"e3","fence":1,"moves":0,"step":"a","verdict":"done","result":{"id":"8"}}]', tests.work_applied(), 15, true)) x),
          '{"e1":"ready","e2":"working","e3":"ready"}', 'one effect that fails undoes no other');
select is((select string_agg(run_id, ',') from public.workflow_signals where name = 'applied'), 'e2', 'but itself');
select is(((tests.work_row('e2', 'a')).result, (tests.work_run('e2')).step)::text, '("{""id"": ""7""}",d)', 'an effect may say what comes next');
select is(((tests.work_row('e1', 'a')).state, (tests.work_row('e1', 'a')).reason)::text, '(retry,not_found)', 'an SQL step is tried again');
select is(((tests.work_row('e3', 'a')).state, (tests.work_row('e3', 'a')).result ->> 'id')::text, '(answered,8)', 'what a provider did is kept');
update public.workflow_runs set input = '{}' where id = 'e3';
select tests.work_now('e3'), tests.work_claim() \g /dev/null
select is(tests.work_say('e3', '{"step":"a","verdict":"apply"}', tests.work_applied()), 'working d', 'and only applied again');

-- ---- what a step may say ---------------------------------------------------------------------------

select tests.work_fresh('s1') \g /dev/null
select is(tests.work_done('s1', 'a', '{"sleep_seconds":3600}'), 'ready', 'a sleep');
select ok(tests.within(extract(epoch from (tests.work_run('s1')).due_at - clock_timestamp())::numeric, 3590, 3601), 'lasts');
select is((tests.work_run('s1')).step, 'b', 'before the next step');
select tests.work_fresh('s2') \g /dev/null
select is(tests.work_done('s2', 'a', '{"until":"2036-01-01T00:00:00Z"}'), 'ready', 'until a time');
select is((tests.work_run('s2')).due_at, '2036-01-01T00:00:00Z'::timestamptz, 'to the second');
select tests.work_fresh('s3') \g /dev/null
select is(tests.work_done('s3', 'a', '{"done":true}'), 'done', 'the end');
select tests.work_fresh('s4') \g /dev/null
select is(tests.work_done('s4', 'a', '{"fail":"no such person"}'), 'failed', 'a failure');
select tests.work_fresh('s5') \g /dev/null
select is(tests.work_done('s5', 'a', '{"again":{"n":2}}'), 'working', 'once more from the start');
select is(((tests.work_run('s5')).generation, (tests.work_run('s5')).step, (tests.work_run('s5')).input)::text, '(2,,"{""n"": 2}")', 'as a new one');
select tests.work_fresh('s6') \g /dev/null
select is(tests.work_say('s6', '{"verdict":"strange"}'), 'ready', 'a step that nobody knows is left alone');
select is((tests.work_run('s6')).last_error, 'unknown_step', 'and shown');
select tests.work_fresh('s7') \g /dev/null
select is(tests.work_say('s7', '{"step":"a","verdict":"settled","sql":true}', p_go_on => false), 'ready', 'whoever ends gives back what it holds');
select ok((tests.work_run('s7')).due_at <= clock_timestamp(), 'at once');
update public.workflow_runs set state = 'working', due_at = now() + interval '1 hour' where id = 's7';
select is(tests.work_done('s7', 'b'), 'working b', 'two that belong together');
select is(tests.work_done('s7', 'c', '{"next":"a"}'), 'working a', 'and a way back');
select is(((tests.work_row('s7', 'a')).state, (tests.work_row('s7', 'a')).visit)::text, '(retry,2)', 'come by again');
select is(tests.work_intent('s7', 'a') -> 0 ->> 'key', 's7:1:a:v2', 'under another key');

-- ---- signals -------------------------------------------------------------------------------------------

select tests.work_fresh('g1') \g /dev/null
select is(tests.work_done('g1', 'a', '{"wait":"go","wait_seconds":60}'), 'waiting', 'a run waits for a signal');
select ok(public.work_signal('g1', 'stop', '{}', 'x'), 'another signal is kept');
select is((tests.work_run('g1')).state, 'waiting', 'and wakes nobody');
select ok(public.work_signal('g1', 'go', '{"n":1}', 's') and not public.work_signal('g1', 'go', '{"n":2}', 's'), 'the same signal twice is once');
select is(((tests.work_run('g1')).state, (tests.work_row('g1', 'a')).result -> 'signal')::text, '(ready,"{""n"": 1}")', 'it is the result of who waited');
select tests.work_fresh('g2'), public.work_signal('g2', 'go', '{"n":1}'), public.work_signal('g2', 'go', '{"n":2}') \g /dev/null
select is(tests.work_done('g2', 'a', '{"wait":"go"}'), 'working b', 'a signal that came before is not lost');
select is((tests.work_row('g2', 'a')).result -> 'signal', '{"n":1}', 'the older one first');
select tests.work_fresh('g3') \g /dev/null
select is(tests.work_done('g3', 'a', '{"wait":"go"}'), 'waiting', 'without a limit');
select is((tests.work_run('g3')).due_at, null, 'it is never due');
select tests.work_fresh('g4') \g /dev/null
select is(tests.work_done('g4', 'a', '{"wait":"go","wait_seconds":60}'), 'waiting', 'with one');
select tests.work_now('g4') \g /dev/null
select is(tests.work_claim(), 'g4', 'its time comes');
select is((tests.work_row('g4', 'a')).result -> 'timed_out', 'true', 'and it is told');
select ok(not public.work_signal('none', 'go') and not public.work_signal('w1', 'go'), 'nobody hears who is over or never was');

-- ---- cancel and undo ---------------------------------------------------------------------------------------

select public.work_start('c1', 'test') \g /dev/null
select ok(public.work_cancel('c1') and not public.work_cancel('c1'), 'a run that did nothing');
select is((tests.work_run('c1')).state, 'canceled', 'is canceled at once');
select ok(not public.work_cancel('w1') and not public.work_cancel('none'), 'what is over stays so');
select tests.work_fresh('c2'), tests.work_intent('c2', 'a'), public.work_cancel('c2') \g /dev/null
select is(((tests.work_run('c2')).state, (tests.work_run('c2')).cancel_requested)::text, '(working,t)', 'a step under way is waited for');
select is(tests.work_intent('c2', 'a'), '[]', 'and nothing new is begun');
select is(tests.work_say('c2', '{"step":"a","verdict":"done"}'), 'working a', 'then it is undone');
select is((tests.work_run('c2')).undo_to, 'canceled', 'on the way to its end');
select is(tests.work_intent('c2', 'a', true) -> 0 ->> 'key', 'c2:1:a:undo', 'under a key of its own');
select is(tests.work_say('c2', '{"step":"a","undo":true,"verdict":"retry","reason":"busy"}'), 'ready', 'undoing is tried again, too');
select tests.work_now('c2'), tests.work_claim(), tests.work_intent('c2', 'a', true) \g /dev/null
select is(tests.work_say('c2', '{"step":"a","undo":true,"verdict":"failed","reason":"http_422"}'), 'failed', 'and may fail');
select is((tests.work_run('c2')).last_error, 'undo of a: http_422', 'which is told');
select ok(public.work_redrive('c2'), 'it goes on where it stood');
select tests.work_claim(), tests.work_intent('c2', 'a', true) \g /dev/null
select is(tests.work_say('c2', '{"step":"a","undo":true,"verdict":"done"}'), 'working a', 'undone');
select is(tests.work_say('c2', '{"verdict":"undone"}'), 'canceled', 'all of it');
select tests.work_fresh('c3'), tests.work_done('c3', 'a', '{"wait":"go"}'), public.work_cancel('c3') \g /dev/null
select is(((tests.work_run('c3')).state, (tests.work_run('c3')).undo_to, (tests.work_run('c3')).wait_signal)::text, '(ready,canceled,)', 'one that waits undoes what it did');
select public.work_redrive('u1'), public.work_cancel('r1') \g /dev/null
select is((tests.work_run('r1')).undo_to, 'canceled', 'a dead letter can be given up');

select tests.work_fresh('f1'), tests.work_done('f1', 'a') \g /dev/null
select is(tests.work_say('f1', '{"step":"b","verdict":"failed","sql":true,"reason":"no"}', tests.work_table('{"undo_on_failure":true}')), 'working b',
          'a workflow may undo what it did when it fails');
select is(((tests.work_run('f1')).undo_to, (tests.work_run('f1')).last_error)::text, '(failed,"b: no")', 'and keeps why');
select tests.work_intent('f1', 'a', true), tests.work_say('f1', '{"step":"a","undo":true,"verdict":"done"}') \g /dev/null
select is(tests.work_say('f1', '{"verdict":"undone"}'), 'failed', 'in the end it has failed');
select public.work_redrive('f1') \g /dev/null
select is(((tests.work_run('f1')).generation, (tests.work_run('f1')).step, (tests.work_run('f1')).undo_to)::text, '(2,,)', 'redriven, it begins anew');
select tests.work_fresh('f2', 'b'), tests.work_intent('f2', 'b') \g /dev/null
select is(tests.work_say('f2', '{"step":"c","verdict":"failed","sql":true}'), 'working', 'a failure waits for what is under way');
select is(tests.work_say('f2', '{"step":"b","verdict":"unknown"}'), 'ready', 'and for what is not known');

-- ---- schedules -------------------------------------------------------------------------------------------------

select public.work_schedule('tick', 'test', '* * * * *', 'all', '{"a":1}') \g /dev/null
select ok(public.work_due('{test}'), 'a new schedule wants its next slot');
select is(public.work_schedule_fire('tick', null, '{}', 1800000000, null), 0, 'it is written down');
select is(public.work_schedule_fire('tick', null, '{1800000000}', 1800000060, null), 0, 'by one of two');
select is(public.work_schedule_fire('tick', 1800000000, '{1800000000,1800000060}', 1800000120, null), 2, 'each slot is a run');
select is((tests.work_run('tick:2027-01-15T08:01:00Z')).slot, '2027-01-15T08:01:00Z'::timestamptz, 'of its own name and time');
select is(public.work_told(tests.work_run('tick:2027-01-15T08:01:00Z'), tests.work_row('w1', 'a')) ->> 'slot', '2027-01-15T08:01:00Z', 'which its steps are told');
select is((tests.work_run('tick:2027-01-15T08:01:00Z')).input, '{"a":1,"slot":"2027-01-15T08:01:00Z"}', 'which is its input, too');
select is(public.work_schedule_fire('tick', 1800000120, '{1800000060}', 1800000180, null), 0, 'a slot twice is once');
update public.workflow_schedules set updated_at = now() + interval '1 hour' where id = 'tick';
select public.work_known('[]') \g /dev/null
select is((select next_at from public.workflow_schedules where id = 'tick'), null, 'when the clock is set back its next slot is reckoned anew');
update public.workflow_schedules set next_at = to_timestamp(1800000180) where id = 'tick';
select public.work_known('[]') \g /dev/null
select is((select next_at from public.workflow_schedules where id = 'tick'), to_timestamp(1800000180), 'and else it stays');
select public.work_schedule('tick', 'test', '* * * * *', 'all', '{"a":1}') \g /dev/null
select is((select next_at from public.workflow_schedules where id = 'tick'), to_timestamp(1800000180), 'the same again changes nothing');
select public.work_schedule('tick', 'test', '0 * * * *', 'all', '{"a":1}') \g /dev/null
select is((select next_at from public.workflow_schedules where id = 'tick'), null, 'another time is reckoned anew');
select is(jsonb_array_length(public.work_schedules_due('{test}')) || ',' || jsonb_array_length(public.work_schedules_due('{other}')), '1,0', 'by who knows it');
select throws_ok($$select public.work_schedule('x', 'test', '* * * * *', 'some')$$, '23514', null, 'a policy is one of three');

-- ---- order ---------------------------------------------------------------------------------------------------------

update public.workflow_runs set finished_at = now() - interval '31 days' where id in ('w1', 'r2');
select is(public.work_prune(30), 1, 'what is long over goes');
select is(((select count(*)::integer from public.workflow_steps where run_id = 'w1'), (tests.work_run('r2')).state)::text, '(0,failed)', 'with its history; dead letters stay');
update public.workflow_runs set created_at = now() - interval '301 days', finished_at = now() - interval '301 days' where id = 'r2';
select is(public.work_prune(30), 1, 'for ten times as long');

select public.work_known('[{"name":"test","steps":["a","b"],"doc":"d"}]') \g /dev/null
select is((public.work_run_line(tests.work_run('c2')) -> 'known', public.work_run_line(tests.work_run('strange')) -> 'known')::text, '(true,false)', 'known and unknown');
create function tests.work_metric(p_name text, p_labels jsonb default '{}') returns numeric language sql as $$
    select sum((s ->> 'value')::numeric) from jsonb_array_elements(public.work_metrics()) m, jsonb_array_elements(m -> 'samples') s
     where m ->> 'name' = 'hookswitch_workflow_' || p_name and s -> 'labels' @> p_labels
$$;
select is(tests.work_metric('unknown'), 2::numeric, 'runs at a loss are counted: an unknown workflow, an unknown step');
select is(tests.work_metric('runs', '{"state":"waiting"}'), 1::numeric, 'runs that wait');
select is(tests.work_metric('dead_letters'), (select count(*) from public.workflow_runs where state = 'failed')::numeric, 'dead letters');
select is(tests.work_metric('runs', '{"state":"done"}'), null, 'what is over is not counted');

-- ---- what cannot be --------------------------------------------------------------------------------------------------

create function tests.work_move(p_from text, p_to text) returns text language plpgsql as $$
begin
    set local session_replication_role = replica;
    update public.workflow_runs set state = p_from, due_at = case when p_from in ('ready', 'working', 'waiting') then now() end,
           finished_at = case when p_from in ('done', 'failed', 'canceled') then now() end, wait_signal = case when p_from = 'waiting' then 'go' end
     where id = 's7';
    set local session_replication_role = origin;
    update public.workflow_runs set state = p_to, due_at = case when p_to in ('ready', 'working', 'waiting') then now() end,
           finished_at = case when p_to in ('done', 'failed', 'canceled') then now() end, wait_signal = case when p_to = 'waiting' then 'go' end
     where id = 's7';
    return null;
exception when sqlstate 'PT409' then
    return p_from || ' ' || p_to;
end
$$;
select is((select count(*)::integer from unnest('{ready,working,waiting,done,failed,canceled}'::text[]) a(s), unnest('{ready,working,waiting,done,failed,canceled}'::text[]) b(s)
            where a.s <> b.s and (tests.work_move(a.s, b.s) is null) <> exists (
                select from public.state_moves m where m.machine = 'workflow_runs' and m.from_state = a.s and m.to_state = b.s)), 0,
          'a run goes from state to state only as the table allows');
select is((select count(*)::integer from public.state_moves where machine = 'workflow_runs' and from_state in ('done', 'canceled')), 0, 'and never back from its end');
select throws_ok($$update public.workflow_runs set due_at = null where id = 'later'$$, '23514', null, 'what is not over has a time');
select throws_ok($$insert into public.workflow_runs (id, workflow, state, finished_at) values ('x', 'test', 'done', now())$$, '23514', null, 'what is over has none');

select tests.be_role('hookswitch_api');
select throws_ok('select * from public.workflow_runs', '42501', null, 'the API sees no run');
select throws_ok($$select public.work_start('x', 'test')$$, '42501', null, 'and starts none by itself');
select tests.be_role('authenticated');
select throws_ok('select * from public.workflow_steps', '42501', null, 'nor does a person');
select throws_ok($$select public.work_call('x', '{}')$$, '42501', null, 'who calls nothing by its name');
select tests.be_role('hookswitch_operator');
select lives_ok('select count(*) from public.workflow_runs', 'an operator reads');
select throws_ok('delete from public.workflow_runs', '42501', null, 'and changes nothing');
select tests.be_nobody();

select * from finish();
rollback;
