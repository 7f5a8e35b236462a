-- 82_work_record.sql - what became of steps, and what becomes of their runs.

-- Records results of many runs in one commit.  p_items is an array of {run, fence, moves, step, undo, verdict, result, reason, retry_ms,
-- directive, sql, stored, suffix}, p_tables the tables of their workflows by name.  Each run is fenced; the effect of each is in an
-- exception block, so that one that fails undoes no other.  p_go_on: runs that can go on stay ours.  Answers [{id, state, row}] of
-- those that were still ours: row where the run goes on at once, no state where steps of it are still under way.
create or replace function public.work_record(p_items jsonb, p_tables jsonb, p_lease double precision, p_go_on boolean) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    i jsonb;
    r public.workflow_runs;
    v_next public.workflow_runs;
    s public.workflow_steps;
    v_ours boolean := false;
    v_first boolean := true;
    v_last boolean;
    v_nexts public.workflow_runs[] := '{}';
    v_kept public.workflow_runs[] := '{}';
    v_steps public.workflow_steps[] := '{}';
begin
    for i, v_last in
        select e, (lead(e) over w) @> jsonb_build_object('run', e -> 'run', 'fence', e -> 'fence') is not true
          from jsonb_array_elements(p_items) with ordinality x(e, n)
        window w as (order by e ->> 'run', e -> 'fence', n) order by e ->> 'run', e -> 'fence', n
    loop
        if v_first then
            select * into r from public.workflow_runs x where x.id = i ->> 'run' for update;
            s := null;
            v_ours := found and r.state = 'working' and r.fence = (i ->> 'fence')::bigint;
        end if;
        v_first := v_last;
        continue when not v_ours;
        if i ? 'step' and (i ->> 'moves')::bigint = r.moves then
            s := public.work_step_record(r, i, public.work_step_of(p_tables -> r.workflow, i));
            if v_last and s.directive is null and public.work_is_plain(r, s, p_tables -> r.workflow) then
                v_steps := v_steps || s; -- nobody reads it before the end
            else
                perform public.work_steps_keep(array[s]);
            end if;
        end if;
        continue when not v_last;
        v_next := public.work_advance(r, s, i, p_tables -> r.workflow, p_go_on);
        v_nexts := v_nexts || v_next;
        if v_next.state = 'working' and v_next.worker is not null and r.due_at > clock_timestamp() + make_interval(secs => p_lease / 2) then
            v_kept := v_kept || v_next;
        else
            perform public.work_keep(v_next, p_lease);
        end if;
    end loop;
    perform public.work_steps_keep(v_steps), public.work_runs_keep(v_kept);
    return (select coalesce(jsonb_agg(jsonb_build_object('id', n.id, 'state', n.state,
                'row', case when n.state <> 'working' or n.worker is null then null
                            when public.work_is_short(n, p_tables -> n.workflow) then public.work_row_head(n) || '{"steps":[],"results":{}}'
                            else public.work_row(n) end)), '[]')
              from unnest(v_nexts) n);
end
$$;

-- The step's row of the workflow's table; that of its undo.
create or replace function public.work_step_of(p_table jsonb, i jsonb) returns jsonb
    language plpgsql immutable as $$
begin
    return p_table -> case when (i ->> 'undo')::boolean then 'undo' else 'steps' end -> (i ->> 'step');
end
$$;

-- ---- one step -----------------------------------------------------------------

-- Milliseconds until the next try: what the provider asked for, or longer each time, and a little uneven.
create or replace function public.work_wait_ms(d jsonb, p_tries integer, p_asked_ms bigint) returns double precision
    language plpgsql volatile as $$
begin
    return greatest(coalesce(p_asked_ms, 0),
        least((d ->> 'max_ms')::double precision,
              (d ->> 'first_ms')::double precision * power((d ->> 'factor')::double precision, least(greatest(p_tries, 1) - 1, 60)))
        * (1 + random() / 10));
end
$$;

-- What became of one step.  d is its row of the workflow's table.
create or replace function public.work_step_record(r public.workflow_runs, i jsonb, d jsonb) returns public.workflow_steps
    language plpgsql as $$
declare
    s public.workflow_steps;
    v_verdict text := i ->> 'verdict';
begin
    select * into s from public.workflow_steps x
     where x.run_id = r.id and x.generation = r.generation and x.step = i ->> 'step' and x.undo = coalesce((i ->> 'undo')::boolean, false);
    if not found then
        s := row(r.id, r.generation, i ->> 'step', coalesce((i ->> 'undo')::boolean, false), 'retry', 1, 0, 0, 0, 0, false, false, null, null, null, null,
                 null, null, null, clock_timestamp(), null)::public.workflow_steps;
    elsif s.state in ('done', 'failed') then
        return s;
    end if;
    if (i ->> 'sql')::boolean then
        s.attempts := s.attempts + 1;
        s.tries := s.tries + 1;
    end if;
    s.looks := s.looks + coalesce((i ->> 'looked')::integer, 0);
    s.unsure := s.unsure or s.state = 'unknown' or (s.state = 'sent' and s.fence is distinct from r.fence);
    s.reason := i ->> 'reason';
    s.fence := null;
    s.due_at := null;
    if v_verdict in ('done', 'apply', 'settled') then
        s := public.work_step_apply(r, s, i, d);
    elsif v_verdict = 'failed' then
        s.state := 'failed';
        s.unsure := s.unsure and not i ? 'looked';
    elsif v_verdict = 'absent' then
        s := public.work_step_absent(s, i, d);
    else
        -- What was certainly not done this time may have been done by what was sent before.
        s.state := case when s.unsure then 'unknown' else v_verdict end; -- retry, unknown
        s.first_sent_at := case when s.state = 'unknown' then s.first_sent_at end;
        s.look_first := s.look_first or coalesce((i ->> 'stored')::boolean, false);
        s := public.work_step_wait(s, i, d);
    end if;
    if s.state in ('done', 'failed') then
        s.finished_at := clock_timestamp();
    end if;
    return s;
end
$$;

-- A look has proved that it is not there: it may be sent again, at once.
create or replace function public.work_step_absent(s public.workflow_steps, i jsonb, d jsonb) returns public.workflow_steps
    language plpgsql stable as $$
begin
    s.state := 'retry';
    s.look_first := false;
    s.unsure := false;
    if (i ->> 'suffix')::boolean then
        s.suffix := s.suffix + 1;
    end if;
    s.first_sent_at := null;
    if s.tries >= (d ->> 'attempts')::integer then
        s.state := 'failed';
        s.reason := coalesce(s.reason, 'attempts_used_up');
    end if;
    return s;
end
$$;

-- Later again, as long as its attempts and its time last.
create or replace function public.work_step_wait(s public.workflow_steps, i jsonb, d jsonb) returns public.workflow_steps
    language plpgsql volatile as $$
declare
    v_wait interval := public.work_wait_ms(d, case when s.state = 'unknown' then greatest(s.tries, s.looks) else s.tries end,
                                           (i ->> 'retry_ms')::bigint) * interval '1 millisecond';
    -- Whoever does not know the outcome asks on for a day.
    v_limit double precision := coalesce(nullif((d ->> 'limit_ms')::double precision, 0), case when s.state = 'unknown' then 86400000 end);
begin
    s.due_at := clock_timestamp() + v_wait;
    if v_limit is not null and s.due_at > s.started_at + v_limit * interval '1 millisecond' then
        s.reason := case when s.state = 'unknown' then 'outcome_unknown' else coalesce(s.reason, 'time_used_up') end;
        s.state := 'failed';
    elsif s.tries >= (d ->> 'attempts')::integer and (s.state <> 'unknown' or not (d ->> 'looks')::boolean) then
        s.reason := case when s.state = 'unknown' then 'outcome_unknown' else coalesce(s.reason, 'attempts_used_up') end;
        s.state := 'failed';
    end if;
    return s;
end
$$;

-- It was done (or, of an SQL step, is done here): its effect and its result are committed together.  An effect that fails is tried
-- again; what a provider did is not asked for again because of it.
create or replace function public.work_step_apply(r public.workflow_runs, s public.workflow_steps, i jsonb, d jsonb) returns public.workflow_steps
    language plpgsql as $$
declare
    v_answer jsonb := coalesce(i -> 'result', s.result, '{}');
    v_directive jsonb := coalesce(i -> 'directive', '{}');
    v_error text;
begin
    if d ->> 'apply' is not null and i ->> 'verdict' <> 'settled' then
        begin
            v_directive := public.work_call(d ->> 'apply', public.work_told(r, s) || jsonb_build_object('result', v_answer));
        exception when others then
            v_error := public.work_reason(sqlstate, sqlerrm);
        end;
    end if;
    s.result := (select jsonb_object_agg(k, v) from jsonb_each(v_answer || coalesce(v_directive -> 'result', '{}')) x(k, v)
                  where d -> 'keep' ? k);
    if v_error is not null then
        s.state := case when (i ->> 'sql')::boolean then 'retry' else 'answered' end;
        s.tries := s.tries + case when i ->> 'verdict' = 'apply' then 1 else 0 end;
        s.reason := v_error;
        s := public.work_step_wait(s, i, d);
        s.result := case when (i ->> 'sql')::boolean then null else coalesce(s.result, '{}') end;
        return s;
    end if;
    s.state := 'done';
    s.directive := nullif(v_directive - 'result', '{}');
    if v_directive ->> 'fail' is not null then
        s.state := 'failed';
        s.result := null;
        s.reason := left(v_directive ->> 'fail', 200);
    end if;
    return s;
end
$$;

-- ---- the run --------------------------------------------------------------------

-- The common case: one step, the one that the run is at, and it is done.  What becomes of the run then hangs on no other step.
create or replace function public.work_is_plain(r public.workflow_runs, s public.workflow_steps, p_table jsonb) returns boolean
    language plpgsql immutable as $$
begin
    return coalesce(r.undo_to is null and not r.cancel_requested and s.state = 'done' and s.step = coalesce(r.step, p_table ->> 'first')
                    and not (p_table -> 'steps' -> s.step ->> 'parallel')::boolean, false);
end
$$;

-- The run's next step is SQL's own and was never tried: of its other steps nobody need be told then.
create or replace function public.work_is_short(r public.workflow_runs, p_table jsonb) returns boolean
    language plpgsql stable as $$
declare
    d jsonb := p_table -> 'steps' -> r.step;
begin
    return r.undo_to is null and not r.cancel_requested and (d ->> 'sql')::boolean and not (d ->> 'parallel')::boolean
        and not exists (select from public.workflow_steps x where x.run_id = r.id and x.generation = r.generation and x.step = r.step and not x.undo);
end
$$;

-- Where the run stands after that; s: the step that was recorded, if any.  worker null with state working: steps of it are still under way.
create or replace function public.work_advance(r public.workflow_runs, s public.workflow_steps, i jsonb, p_table jsonb, p_go_on boolean)
    returns public.workflow_runs language plpgsql as $$
declare
    v_step text := coalesce(r.step, p_table ->> 'first');
    d jsonb := p_table -> 'steps' -> v_step;
begin
    if i ->> 'verdict' = 'strange' then
        -- A step that this program does not know: perhaps another one does.
        r.last_error := 'unknown_step';
        return public.work_later(r, clock_timestamp() + interval '1 minute', false);
    elsif public.work_is_plain(r, s, p_table) then
        r.last_error := null;
        return public.work_next(r, v_step, s, d, p_table, p_go_on);
    end if;
    return public.work_weigh(r, i, v_step, p_table, p_go_on);
end
$$;

-- The same, from all steps that matter: those that run together, or those that are to be undone.
create or replace function public.work_weigh(r public.workflow_runs, i jsonb, p_step text, p_table jsonb, p_go_on boolean)
    returns public.workflow_runs language plpgsql as $$
declare
    d jsonb := p_table -> 'steps' -> p_step;
    s public.workflow_steps;
    v_last public.workflow_steps;
    v_seen integer := 0;
    v_done integer := 0;
    v_failed text;
    v_open boolean := false;
    v_due timestamptz;
begin
    for s in select * from public.workflow_steps x where x.run_id = r.id and x.generation = r.generation
                and (x.step = p_step or r.undo_to is not null or (d ->> 'parallel')::boolean) loop
        if s.state = 'sent' and s.fence = r.fence then
            r.worker := null;
            return r;
        end if;
        if r.undo_to is not null then
            if s.state in ('unknown', 'sent') or s.undo then
                v_due := greatest(v_due, s.due_at);
                v_failed := coalesce(v_failed, case when s.undo and s.state = 'failed' then s.step || ': ' || coalesce(s.reason, 'failed') end);
            end if;
            continue;
        end if;
        continue when s.undo or not d -> 'group' ? s.step;
        v_last := case when s.step = d -> 'group' ->> -1 then s else v_last end;
        v_seen := v_seen + 1;
        v_done := v_done + (s.state = 'done')::integer;
        v_open := v_open or s.state in ('unknown', 'sent');
        v_failed := coalesce(v_failed, case when s.state = 'failed' then s.step || ': ' || coalesce(s.reason, 'failed') end);
        v_due := least(v_due, case when s.state in ('done', 'failed') then v_due else coalesce(s.due_at, '-infinity') end);
    end loop;
    if r.undo_to is not null then
        return public.work_advance_undo(r, i, v_failed, v_due, p_go_on);
    end if;
    r.last_error := coalesce(v_failed, i ->> 'reason', case when i ->> 'verdict' in ('done', 'settled', 'apply') then null else r.last_error end);
    if r.cancel_requested then
        r.undo_to := 'canceled';
        return public.work_later(r, null, p_go_on);
    elsif v_failed is not null and not v_open then
        return public.work_fail(r, p_table, p_go_on);
    elsif p_step <> '' and v_done < jsonb_array_length(d -> 'group') then
        return public.work_later(r, case when v_seen = jsonb_array_length(d -> 'group') then v_due end, p_go_on);
    end if;
    return public.work_next(r, p_step, v_last, d, p_table, p_go_on);
end
$$;

-- Goes on at once, or is given back until then.
create or replace function public.work_later(r public.workflow_runs, p_due timestamptz, p_go_on boolean) returns public.workflow_runs
    language plpgsql stable as $$
begin
    if p_go_on and coalesce(p_due, '-infinity') <= clock_timestamp() then
        return r;
    end if;
    r.state := 'ready';
    r.due_at := greatest(p_due, clock_timestamp());
    return r;
end
$$;

create or replace function public.work_fail(r public.workflow_runs, p_table jsonb, p_go_on boolean) returns public.workflow_runs
    language plpgsql stable as $$
begin
    if (p_table ->> 'undo_on_failure')::boolean then
        r.undo_to := 'failed';
        return public.work_later(r, null, p_go_on);
    end if;
    r.state := 'failed';
    return r;
end
$$;

create or replace function public.work_advance_undo(r public.workflow_runs, i jsonb, p_failed text, p_due timestamptz, p_go_on boolean)
    returns public.workflow_runs language plpgsql stable as $$
begin
    if i ->> 'verdict' = 'undone' then
        r.state := case when r.cancel_requested then 'canceled' else r.undo_to end;
        return r;
    elsif p_failed is not null then
        r.state := 'failed';
        r.last_error := 'undo of ' || p_failed;
        return r;
    end if;
    return public.work_later(r, p_due, p_go_on);
end
$$;

-- All steps that ran together are done: their last one's (s) directive says what comes next, if it says anything.
create or replace function public.work_next(r public.workflow_runs, p_step text, s public.workflow_steps, d jsonb, p_table jsonb,
                                            p_go_on boolean) returns public.workflow_runs language plpgsql as $$
declare
    v_dir jsonb := s.directive;
    v_due timestamptz;
begin
    r.moves := r.moves + 1;
    v_due := coalesce((v_dir ->> 'until')::timestamptz, clock_timestamp() + (v_dir ->> 'sleep_seconds')::double precision * interval '1 second');
    if v_dir ? 'again' then
        delete from public.workflow_steps x where x.run_id = r.id and x.generation <= r.generation - 20;
        r.generation := r.generation + 1;
        r.input := v_dir -> 'again';
        r.step := null;
        return public.work_later(r, v_due, p_go_on);
    end if;
    -- '' is behind the last one: a sleep or a wait after it is kept, too.
    r.step := case when (v_dir ->> 'done')::boolean then '' else coalesce(v_dir ->> 'next', d ->> 'next', '') end;
    if v_dir ? 'next' or s.visit > 1 then
        perform public.work_visit(r, p_table -> 'steps' -> r.step -> 'group');
    end if;
    if v_dir ->> 'wait' is not null and not public.work_signal_take(r, s.step, v_dir ->> 'wait') then
        r.state := 'waiting';
        r.wait_signal := v_dir ->> 'wait';
        r.wait_step := s.step;
        r.due_at := clock_timestamp() + (v_dir ->> 'wait_seconds')::double precision * interval '1 second';
        return r;
    elsif r.step = '' and coalesce(v_due, '-infinity') <= clock_timestamp() then
        r.state := 'done';
        r.step := p_step;
        return r;
    end if;
    return public.work_later(r, v_due, p_go_on);
end
$$;

-- A loop comes by again: these steps are done once more, under another key.
create or replace function public.work_visit(r public.workflow_runs, p_group jsonb) returns void
    language plpgsql as $$
begin
    update public.workflow_steps s
       set state = 'retry', visit = s.visit + 1, tries = 0, looks = 0, suffix = 0, look_first = false, unsure = false, first_sent_at = null, sent_at = null,
           result = null, directive = null, due_at = null, started_at = now(), finished_at = null
     where s.run_id = r.id and s.generation = r.generation and not s.undo and p_group ? s.step and s.state = 'done';
end
$$;
