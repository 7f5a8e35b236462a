-- work_trouble.sql - runs in trouble: those that end whoever works on them, repetitions that prove nothing, stale results, undoing given up.
begin;
select no_plan();

\i :tests/sql/helpers/work.sql

-- ---- whoever takes it does not come back --------------------------------------

select public.work_start('k' || i, 'test') from generate_series(1, 3) i \g /dev/null
create function tests.work_left(p_suspects boolean default true) returns text language plpgsql as $$
declare
    v jsonb;
begin
    update public.workflow_runs set due_at = clock_timestamp() - interval '1 second' where state = 'working' and id like 'k_';
    v := public.work_claim('{test}', 10, 'me', 15, p_suspects);
    return (select string_agg(x ->> 'id', ',' order by x ->> 'id') from jsonb_array_elements(v -> 'runs') x) || coalesce(' dead ' || nullif(v ->> 'dead', '0'), '');
end
$$;
select tests.work_claim() \g /dev/null
select is(tests.work_left(), 'k1,k2,k3', 'runs that were left are taken together') from generate_series(1, 3);
select is((tests.work_run('k1')).rescues, 3, 'each time is counted');
select is(tests.work_left(false), null, 'after three times one is not taken beside another of its kind');
select is(tests.work_left(), 'k1', 'but by itself');
select is(public.work_row(tests.work_run('k1')) -> 'suspect', 'true', 'as one that is looked at with care');
select is(tests.work_say('k1', '{"step":"a","verdict":"retry","sql":true}'), 'ready', 'when something of it is recorded');
select is((tests.work_run('k1')).rescues, 0, 'it is as any other');
select is(tests.work_left(), 'k2', 'and then the next one has its turn');
delete from public.workflow_runs where id in ('k1', 'k3');
update public.workflow_runs set rescues = 9 where id = 'k2';
select is(tests.work_left(), 'k2', 'the tenth time it is taken for the last time');
update public.workflow_runs set due_at = now() - interval '1 second' where id = 'k2';
select is(public.work_claim('{test}', 10, 'me', 15, true), '{"runs":[],"rescued":0,"dead":1}', 'then it is a dead letter');
select is(((tests.work_run('k2')).state, (tests.work_run('k2')).last_error)::text, '(failed,rescued_too_often)', 'that says why');
select ok(public.work_redrive('k2'), 'which may be redriven');
select is(((tests.work_run('k2')).state, (tests.work_run('k2')).rescues)::text, '(ready,0)', 'and then begins to count anew');
delete from public.workflow_runs where id = 'k2';

-- ---- a repetition that proves nothing ------------------------------------------

create function tests.work_try(p_run text, p_verdict text, p_more jsonb default '{}') returns text language sql as $$
    select tests.work_now(p_run), tests.work_claim(), tests.work_intent(p_run, 'a');
    select tests.work_say(p_run, jsonb_build_object('step', 'a', 'verdict', p_verdict) || p_more)
$$;
select tests.work_fresh('u2'), tests.work_intent('u2', 'a'), tests.work_say('u2', '{"step":"a","verdict":"retry"}') \g /dev/null
select is(((tests.work_row('u2', 'a')).state, (tests.work_row('u2', 'a')).first_sent_at)::text, '(retry,)', 'who was never heard has not used the key');
select is(tests.work_try('u2', 'unknown'), 'ready', 'perhaps done');
select is(tests.work_try('u2', 'retry'), 'failed', 'and again, refused: attempts come to an end');
select is(((tests.work_row('u2', 'a')).reason, public.work_row(tests.work_run('u2')) -> 'steps' -> 0 -> 'unsure')::text, '(outcome_unknown,true)',
          'but what was sent before may have been done');
select tests.work_fresh('u3'), tests.work_intent('u3', 'a'), tests.work_say('u3', '{"step":"a","verdict":"unknown"}') \g /dev/null
select is(tests.work_try('u3', 'retry'), 'ready', 'a repetition that is refused');
select is(((tests.work_row('u3', 'a')).state, (tests.work_row('u3', 'a')).first_sent_at is null)::text, '(unknown,f)', 'proves nothing, and the key grows old');
select is(tests.work_try('u3', 'failed', '{"reason":"http_401"}'), 'failed', 'nor does one that will never be taken');
select is(public.work_row(tests.work_run('u3')) -> 'steps' -> 0 -> 'unsure', 'true', 'it would have to be undone');
select public.work_redrive('u3') \g /dev/null
select is((tests.work_row('u3', 'a')).state, 'unknown', 'and is not simply done again');
select tests.work_now('u3'), tests.work_claim() \g /dev/null
select is(tests.work_say('u3', '{"step":"a","verdict":"absent","looked":1}'), 'working a', 'a look proves it');
select is((tests.work_row('u3', 'a')).unsure, false, 'then it is certain');
select tests.work_intent('u3', 'a'), tests.work_now('u3'), tests.work_claim(), tests.work_intent('u3', 'a') \g /dev/null
select is((tests.work_row('u3', 'a')).unsure, true, 'what somebody had sent who did not come back is unknown, too');
update public.workflow_steps set state = 'unknown' where run_id = 'u3';
select public.work_intent(jsonb_build_array(jsonb_build_object('run', r.id, 'fence', r.fence, 'step', 'a', 'undo', false, 'blind', true)), 15)
  from public.workflow_runs r where r.id = 'u3' \g /dev/null
select is((tests.work_row('u3', 'a')).unsure, false, 'who sends again what nobody could look up was told to');

-- ---- two at once ------------------------------------------

-- Two results of one run, told by one process under two fences: the stale one is not heard, the fresh one is.
select tests.work_fresh('u4'), tests.work_now('u4'), tests.work_claim() \g /dev/null
select is(public.work_record('[{"run":"u4","fence":1,"moves":0,"step":"a","verdict":"failed","sql":true},
                               {"run":"u4","fence":2,"moves":0,"step":"a","verdict":"done","sql":true}]', tests.work_table(), 15, true) -> 0 -> 'row' ->> 'step', 'b',
          'a stale result beside a fresh one');
select is((tests.work_row('u4', 'a')).state, 'done', 'holds it up no more than it is heard');

-- ---- given up while it is undone -----------------------------------

select tests.work_fresh('f3'), tests.work_done('f3', 'a') \g /dev/null
select tests.work_say('f3', '{"step":"b","verdict":"failed","sql":true}', tests.work_table('{"undo_on_failure":true}')), public.work_cancel('f3') \g /dev/null
select is(tests.work_say('f3', '{"verdict":"undone"}'), 'canceled', 'one that is given up while it is undone ends as it was told');
select tests.work_fresh('f4'), tests.work_done('f4', 'a', '{"wait":"go"}'), public.work_cancel('f4') \g /dev/null
select tests.work_claim() \g /dev/null
select is(tests.work_say('f4', '{"step":"a","undo":true,"verdict":"failed","sql":true}'), 'failed', 'what cannot be undone');
select ok(public.work_cancel('f4'), 'can be given up once more');
select is(((tests.work_run('f4')).state, (tests.work_row('f4', 'a', true)).state)::text, '(ready,retry)', 'and is tried once more');

-- ---- plans -------------------------------------------------------------------------------------

-- As the engine's connections plan, and keep: for a table that was empty then, and is not now.
delete from public.workflow_runs;
analyze public.workflow_runs;
create function tests.work_plan(p_query text) returns text language plpgsql as $$
declare
    v_line text;
    v_indexes text[] := '{}';
begin
    for v_line in execute 'explain (costs off) ' || p_query loop
        v_indexes := v_indexes || coalesce(substring(v_line from 'Index (?:Only )?Scan (?:using|on) (\w+)'), substring(v_line from 'Seq Scan'));
    end loop;
    return array_to_string(v_indexes, ',');
end
$$;
set local enable_seqscan = off;
select is(tests.work_plan($$select from public.workflow_runs x where x.id = 'a'$$), 'workflow_runs_pkey', 'a run is found by its key');
select is(tests.work_plan($$select from public.workflow_runs x where x.id = any ('{a,b}')$$), 'workflow_runs_pkey', 'and so are several');
select is(tests.work_plan($$select from public.workflow_runs x where x.rescues >= 3 and x.due_at <= statement_timestamp()
                             and array_position('{a,b}', x.workflow) is not null order by x.due_at limit 1$$), 'workflow_runs_rescued_idx',
          'who was left often is found among its like');

-- ---- what the engine is told of a run that goes on --------------------------------------

-- The row after a result of a, where the next step is b; p_b says what b is.
create function tests.work_told(p_run text, p_b jsonb) returns jsonb language sql as $$
    select public.work_record(jsonb_build_array(jsonb_build_object('run', r.id, 'fence', r.fence, 'moves', r.moves, 'step', 'a', 'verdict', 'done',
                                                                   'sql', true, 'result', '{"id":"x"}'::jsonb)),
               tests.work_table(jsonb_build_object('steps', jsonb_build_object('a', tests.work_step('{"group":["a"],"next":"b"}'),
                                                                               'b', tests.work_step('{"group":["b"]}'::jsonb || p_b)))),
               15, true) -> 0 -> 'row'
      from public.workflow_runs r where r.id = p_run
$$;
select tests.work_fresh('t1'), tests.work_fresh('t2'), tests.work_fresh('t3') \g /dev/null
select is(tests.work_told('t1', '{"sql":true}') - array['id', 'workflow', 'fence', 'input'],
          '{"step":"b","moves":1,"slot":null,"steps":[],"cancel":false,"results":{},"suspect":false,"undo_to":null,"generation":1,"organization_id":null}',
          'where SQL goes on nobody is told of the steps before');
select is(tests.work_told('t2', '{"sql":false}') -> 'results', '{"a":{"id":"x"}}', 'a step that acts outside is told what they found');
insert into public.workflow_steps (run_id, generation, step, state, tries, due_at) values ('t3', 1, 'b', 'retry', 1, now() + interval '1 hour');
select is(jsonb_array_length(tests.work_told('t3', '{"sql":true}') -> 'steps'), 2, 'and of a step that was tried before it is told, too');

select * from finish();
rollback;
