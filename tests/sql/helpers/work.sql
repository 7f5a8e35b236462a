-- work.sql - a workflow of the tests' own, and words for what is done to its runs.  Read by the tests that need it.

-- A workflow of these tests' own: a, then b and c together, then d; a and b can be undone.  As common/work/run_table.c tells it.
create function tests.work_step(p_more jsonb default '{}') returns jsonb language sql as $$
    select '{"apply":null,"keep":["id"],"first_ms":1000,"factor":2,"max_ms":5000,"attempts":3,"limit_ms":0,"looks":false,"parallel":false,"next":null}'
        ::jsonb || p_more
$$;
create function tests.work_table(p_more jsonb default '{}') returns jsonb language sql as $$
    select jsonb_build_object('test', jsonb_build_object('first', 'a', 'undo_on_failure', false,
        'steps', jsonb_build_object(
            'a', tests.work_step('{"group":["a"],"next":"b"}'),
            'b', tests.work_step('{"group":["b","c"],"next":"d","parallel":true,"looks":true}'),
            'c', tests.work_step('{"group":["b","c"],"next":"d","parallel":true,"limit_ms":3000}'),
            'd', tests.work_step('{"group":["d"]}')),
        'undo', jsonb_build_object('a', tests.work_step(), 'b', tests.work_step())) || p_more)
$$;
create function tests.work_claim(p_limit integer default 10) returns text language sql as $$
    select string_agg(r ->> 'id', ',' order by r ->> 'id') from jsonb_array_elements(public.work_claim('{test}', p_limit, 'me', 15, true) -> 'runs') r
$$;
-- A result of a step of a run that we hold; answers the run's state, and its step where it goes on.
create function tests.work_say(p_run text, p_item jsonb, p_table jsonb default tests.work_table(), p_go_on boolean default true) returns text
    language plpgsql as $$
declare
    r public.workflow_runs;
    v_answer jsonb;
begin
    select * into r from public.workflow_runs x where x.id = p_run;
    v_answer := public.work_record(jsonb_build_array(jsonb_build_object('run', p_run, 'fence', r.fence, 'moves', r.moves) || p_item), p_table, 15, p_go_on);
    return coalesce(v_answer -> 0 ->> 'state', 'not ours') || coalesce(' ' || (v_answer -> 0 -> 'row' ->> 'step'), '');
end
$$;
create function tests.work_done(p_run text, p_step text, p_directive text default null) returns text language sql as $$
    select tests.work_say(p_run, jsonb_build_object('step', p_step, 'verdict', 'settled', 'sql', true, 'result', '{"id":"x","secret":"y"}'::jsonb,
                                                    'directive', coalesce(p_directive, '{}')::jsonb))
$$;
create function tests.work_intent(p_run text, p_step text, p_undo boolean default false) returns jsonb language sql as $$
    select public.work_intent(jsonb_build_array(jsonb_build_object('run', r.id, 'fence', r.fence, 'step', p_step, 'undo', p_undo)), 15)
      from public.workflow_runs r where r.id = p_run
$$;
create function tests.work_run(p_run text) returns public.workflow_runs language sql as $$ select * from public.workflow_runs where id = p_run $$;
create function tests.work_row(p_run text, p_step text, p_undo boolean default false) returns public.workflow_steps language sql as $$
    select s from public.workflow_runs r, public.workflow_steps s
     where r.id = p_run and s.run_id = r.id and s.generation = r.generation and s.step = p_step and s.undo = p_undo
$$;
-- What waits becomes due.
create function tests.work_now(p_run text) returns void language sql as $$
    update public.workflow_runs set due_at = clock_timestamp() - interval '1 second' where id = p_run;
    update public.workflow_steps set due_at = clock_timestamp() - interval '1 second' where run_id = p_run and due_at is not null
$$;
-- A run at that step, in our hands.
create function tests.work_fresh(p_run text, p_step text default 'a') returns text language sql as $$
    select public.work_start(p_run, 'test');
    update public.workflow_runs set step = p_step, due_at = now() - interval '1 second' where id = p_run;
    select tests.work_claim()
$$;
