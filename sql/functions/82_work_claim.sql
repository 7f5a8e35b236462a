-- 82_work_claim.sql - what the engine takes: runs that are due, the intent before the first byte, and leases while it works.
--
-- The inner functions of 82_work_*.sql set no search_path of their own: it would be set once for each step.  That is safe: none of them
-- is security definer, only hookswitch_pump may call them, and their callers, which are, have set it to '' for all that they call.

-- The idempotency key of a step: the same for each repetition, another one for each generation, each visit, and after a stored failure.
create or replace function public.work_key(p_run text, s public.workflow_steps) returns text
    language plpgsql immutable as $$
declare
    v_key text := p_run || ':' || s.generation || ':' || s.step || case when s.undo then ':undo' else '' end
        || case when s.visit > 1 then ':v' || s.visit else '' end || case when s.suffix > 0 then ':s' || s.suffix else '' end;
begin
    -- Providers take visible characters, and not many of them.
    return case when length(v_key) <= 200 and v_key !~ '[^!-~]' then v_key else encode(sha256(convert_to(v_key, 'UTF8')), 'hex') end;
end
$$;

-- What a prepare or apply function is told.
create or replace function public.work_told(r public.workflow_runs, s public.workflow_steps) returns jsonb
    language plpgsql stable as $$
begin
    return jsonb_build_object('id', r.id, 'workflow', r.workflow, 'organization_id', r.organization_id, 'input', r.input,
        'generation', r.generation, 'slot', case when r.slot is not null then public.work_slot(r.slot) end,
        'step', s.step, 'attempt', s.attempts, 'key', public.work_key(r.id, s),
        'results', (select coalesce(jsonb_object_agg(x.step, coalesce(x.result, '{}')), '{}') from public.workflow_steps x
                     where x.run_id = r.id and x.generation = r.generation and not x.undo and x.state = 'done'));
end
$$;

-- A slot as text: in run ids, and as the input of the run.
create or replace function public.work_slot(p_slot timestamptz) returns text
    language plpgsql immutable as $$
begin
    return to_char(p_slot at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');
end
$$;

-- All that the engine needs to know of a run that it holds.  Times are told as distances: its clock is not ours.
create or replace function public.work_row(r public.workflow_runs) returns jsonb
    language plpgsql stable as $$
declare
    v_steps jsonb;
    v_results jsonb;
begin
    -- Of a step that is done its name is enough.
    select jsonb_agg(case when s.state = 'done' then jsonb_build_object('step', s.step, 'undo', s.undo, 'state', s.state)
               else jsonb_build_object('step', s.step, 'undo', s.undo, 'state', s.state, 'attempts', s.attempts, 'tries', s.tries,
               'look_first', s.look_first, 'unsure', s.state = 'failed' and (s.unsure or s.reason = 'outcome_unknown'), 'key', public.work_key(r.id, s),
               'sent_ms', (extract(epoch from clock_timestamp() - s.sent_at) * 1000)::bigint,
               'key_s', extract(epoch from clock_timestamp() - s.first_sent_at)::bigint,
               'due_ms', (extract(epoch from s.due_at - clock_timestamp()) * 1000)::bigint) end),
           jsonb_object_agg(s.step, coalesce(s.result, '{}')) filter (where s.state in ('done', 'answered') and not s.undo)
      into v_steps, v_results
      from public.workflow_steps s where s.run_id = r.id and s.generation = r.generation;
    return public.work_row_head(r) || jsonb_build_object('steps', coalesce(v_steps, '[]'), 'results', coalesce(v_results, '{}'));
end
$$;

-- Of that the run itself.
create or replace function public.work_row_head(r public.workflow_runs) returns jsonb
    language plpgsql stable as $$
begin
    return jsonb_build_object('id', r.id, 'workflow', r.workflow, 'organization_id', r.organization_id, 'fence', r.fence, 'moves', r.moves,
        'generation', r.generation, 'slot', r.slot, 'input', r.input, 'step', r.step, 'undo_to', r.undo_to,
        'cancel', r.cancel_requested, 'suspect', r.rescues >= 3);
end
$$;

-- Leases runs that are due, those included whose lease ran out or whose time to wait is over.  Only of these workflows; the one whose
-- oldest run waits longest comes first.  A run whose lease ran out three times in a row may be what ended those who had it: it is taken
-- by itself, where p_suspects allows it, and after ten times it is a dead letter.  Answers their rows.
create or replace function public.work_claim(p_workflows text[], p_limit integer, p_worker text, p_lease double precision,
                                             p_suspects boolean) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_workflow text;
    v_ids text[] := '{}';
    v_part text[];
    v_dead integer := 0;
    v_rescued integer := 0;
    v_rows jsonb;
begin
    if p_suspects then
        v_ids := array(select x.id from public.workflow_runs x
                        where x.rescues >= 3 and x.due_at <= statement_timestamp()
                          -- Said so that the index of the few is taken, and not the one of all that is due.
                          and array_position(p_workflows, x.workflow) is not null
                        order by x.due_at limit 1 for update skip locked);
        update public.workflow_runs x
           set state = 'failed', last_error = 'rescued_too_often', due_at = null, finished_at = now(), updated_at = now()
         where x.id = any (v_ids) and x.state = 'working' and x.rescues >= 10;
        get diagnostics v_dead = row_count;
        v_ids := case when v_dead = 0 then v_ids else '{}' end;
        v_rescued := public.work_take(v_ids, p_worker, p_lease);
    end if;
    for v_workflow in
        select w.name from unnest(p_workflows) w(name)
         cross join lateral (select x.due_at from public.workflow_runs x
                              where x.workflow = w.name and x.due_at <= statement_timestamp() order by x.due_at limit 1) o
         where v_ids = '{}'
         order by o.due_at
    loop
        exit when cardinality(v_ids) >= p_limit;
        v_part := array(select x.id from public.workflow_runs x
                         where x.workflow = v_workflow and x.due_at <= statement_timestamp() and x.rescues < 3
                         order by x.due_at limit p_limit - cardinality(v_ids) for update skip locked);
        v_rescued := v_rescued + public.work_take(v_part, p_worker, p_lease);
        v_ids := v_ids || v_part;
    end loop;
    select coalesce(jsonb_agg(public.work_row(x)), '[]') into v_rows from public.workflow_runs x where x.id = any (v_ids);
    return jsonb_build_object('runs', v_rows, 'rescued', v_rescued, 'dead', v_dead);
end
$$;

-- Leases these runs, whose rows are locked.  Answers how many of them had been left by somebody.
create or replace function public.work_take(p_ids text[], p_worker text, p_lease double precision) returns integer
    language plpgsql as $$
declare
    v_rescued integer;
    v_waiting text[];
begin
    if p_ids = '{}' then
        return 0;
    end if;
    select count(*) filter (where x.state = 'working'), array_agg(x.id) filter (where x.state = 'waiting') into v_rescued, v_waiting
      from public.workflow_runs x where x.id = any (p_ids);
    if v_waiting is not null then
        -- Nobody told it in time what it waited for.
        update public.workflow_steps s set result = coalesce(s.result, '{}') || '{"timed_out":true}'
          from public.workflow_runs x
         where x.id = any (v_waiting) and s.run_id = any (v_waiting)
           and s.run_id = x.id and s.generation = x.generation and s.step = x.wait_step and not s.undo;
    end if;
    update public.workflow_runs x
       set state = 'working', fence = x.fence + 1, worker = p_worker, wait_signal = null, wait_step = null, updated_at = now(),
           rescues = x.rescues + (x.state = 'working')::integer, due_at = clock_timestamp() + make_interval(secs => p_lease)
     where x.id = any (p_ids);
    return v_rescued;
end
$$;

-- Is any run of these workflows due, or a schedule?  One cheap look, for a waiting pump's poll.
create or replace function public.work_due(p_workflows text[]) returns boolean
    language plpgsql stable security definer set search_path = '' as $$
begin
    return exists (select from unnest(p_workflows) w(name)
                    cross join lateral (select from public.workflow_runs x
                                         where x.workflow = w.name and x.due_at <= statement_timestamp() limit 1) o)
        or exists (select from public.workflow_schedules s
                    where s.is_active and s.next_at <= statement_timestamp() and s.workflow = any (p_workflows))
        or exists (select from public.workflow_schedules s
                    where s.is_active and s.next_at is null and s.workflow = any (p_workflows));
end
$$;

-- Leases of runs that are being worked on.  Answers those that are still ours.
create or replace function public.work_renew(p_ids text[], p_fences bigint[], p_lease double precision) returns text[]
    language plpgsql security definer set search_path = '' as $$
declare
    v_ids text[];
begin
    with renewed as (
        update public.workflow_runs x set due_at = clock_timestamp() + make_interval(secs => p_lease)
          from unnest(p_ids, p_fences) u(id, fence)
         where x.id = u.id and x.fence = u.fence and x.state = 'working'
        returning x.id)
    select coalesce(array_agg(r.id), '{}') into v_ids from renewed r;
    return v_ids;
end
$$;

-- The intent, before the first byte: p_items is an array of {run, fence, step, undo, prepare, blind}.  Answers for each that is still ours
-- {run, step, undo, key, attempt, prepared}; with "verdict" and perhaps "directive" or "reason" where nothing is to be sent.
create or replace function public.work_intent(p_items jsonb, p_lease double precision) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    i jsonb;
    r public.workflow_runs;
    v_answers jsonb[] := '{}';
begin
    for i in select e from jsonb_array_elements(p_items) e order by e ->> 'run' loop
        if r.id is distinct from i ->> 'run' then
            select * into r from public.workflow_runs x where x.id = i ->> 'run' for update;
            if found and r.state = 'working' and r.fence = (i ->> 'fence')::bigint and r.due_at > clock_timestamp() then
                update public.workflow_runs x set due_at = clock_timestamp() + make_interval(secs => p_lease) where x.id = r.id;
            end if;
        end if;
        -- A run whose lease ran out is somebody else's, be it nobody's yet.  One that is to be canceled begins nothing new.
        continue when r.id is null or r.state <> 'working' or r.fence <> (i ->> 'fence')::bigint or r.due_at <= clock_timestamp()
            or (r.cancel_requested and r.undo_to is null);
        v_answers := v_answers || public.work_intend(r, i);
    end loop;
    return to_jsonb(v_answers);
end
$$;

create or replace function public.work_intend(r public.workflow_runs, i jsonb) returns jsonb
    language plpgsql as $$
declare
    s public.workflow_steps;
    v_undo boolean := coalesce((i ->> 'undo')::boolean, false);
    v_answer jsonb := jsonb_build_object('run', r.id, 'step', i ->> 'step', 'undo', v_undo);
    v_directive jsonb;
begin
    select * into s from public.workflow_steps x
     where x.run_id = r.id and x.generation = r.generation and x.step = i ->> 'step' and x.undo = v_undo;
    if not found then
        s.run_id := r.id;
        s.generation := r.generation;
        s.step := i ->> 'step';
        s.undo := v_undo;
        s.visit := 1;
        s.attempts := 0;
        s.suffix := 0;
    end if;
    s.attempts := s.attempts + 1;
    if i ->> 'prepare' is not null then
        begin
            v_directive := public.work_call(i ->> 'prepare', public.work_told(r, s));
        exception when others then
            return v_answer || jsonb_build_object('verdict', 'retry', 'reason', public.work_reason(sqlstate, sqlerrm));
        end;
        if v_directive - 'prepared' <> '{}' then
            return v_answer || jsonb_build_object('verdict', 'settled', 'directive', v_directive - 'prepared');
        end if;
    end if;
    insert into public.workflow_steps (run_id, generation, step, undo, state, attempts, tries, fence, first_sent_at, sent_at, due_at)
    values (r.id, r.generation, s.step, v_undo, 'sent', 1, 1, r.fence, clock_timestamp(), clock_timestamp(), null)
    on conflict (run_id, generation, step, undo) do update
       set state = 'sent', attempts = workflow_steps.attempts + 1, tries = workflow_steps.tries + 1, fence = excluded.fence,
           unsure = not i ? 'blind' and (workflow_steps.unsure or workflow_steps.state = 'unknown'
               or (workflow_steps.state = 'sent' and workflow_steps.fence is distinct from excluded.fence)),
           first_sent_at = coalesce(workflow_steps.first_sent_at, excluded.first_sent_at), sent_at = excluded.sent_at, due_at = null;
    return v_answer || jsonb_build_object('key', public.work_key(r.id, s), 'attempt', s.attempts, 'prepared', v_directive -> 'prepared');
end
$$;

-- A function that a workflow's table names.  They are ours, and told apart by nothing but their name: so there is no other way to call them.
create or replace function public.work_call(p_name text, p_told jsonb) returns jsonb
    language plpgsql as $$
declare
    v_directive jsonb;
begin
    execute format('select public.%I($1)', p_name) into v_directive using p_told;
    return coalesce(v_directive, '{}');
end
$$;

-- A failure in few words: our own errors by their code, others by their state alone (their words may hold what belongs in no history).
create or replace function public.work_reason(p_state text, p_message text) returns text
    language plpgsql immutable as $$
begin
    return case when p_state like 'PT___' then left(p_message, 100) else 'sql_' || p_state end;
end
$$;
