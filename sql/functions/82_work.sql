-- 82_work.sql - runs as their users see them: start, signal, cancel, redrive, look at.  What the engine calls is in 82_work_*.sql.

-- Starts a run; one of that id that is there already is left as it is.  True: started now.
create or replace function public.work_start(p_id text, p_workflow text, p_input jsonb default '{}', p_organization uuid default null,
                                             p_due_at timestamptz default null) returns boolean
    language plpgsql security definer set search_path = '' as $$
begin
    insert into public.workflow_runs (id, workflow, organization_id, input, due_at)
    values (p_id, p_workflow, p_organization, coalesce(p_input, '{}'), coalesce(p_due_at, clock_timestamp()))
    on conflict (id) do nothing;
    return found;
end
$$;

-- Tells a run something.  A signal that comes before the run waits for it is kept; the same p_signal twice is once.  False: it was
-- there already, or there is no such run, or it is over.
create or replace function public.work_signal(p_id text, p_name text, p_payload jsonb default '{}', p_signal text default null) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    r public.workflow_runs;
begin
    -- The run's lock comes first: recording takes it too, and looks for signals under it.
    select * into r from public.workflow_runs x where x.id = p_id for update;
    if not found or r.state in ('done', 'canceled') then
        return false;
    end if;
    insert into public.workflow_signals (run_id, id, name, payload)
    values (p_id, coalesce(p_signal, gen_random_uuid()::text), p_name, coalesce(p_payload, '{}'))
    on conflict (run_id, id) do nothing;
    if not found then
        return false;
    end if;
    if r.state = 'waiting' and r.wait_signal = p_name and public.work_signal_take(r, r.wait_step, p_name) then
        update public.workflow_runs x
           set state = 'ready', due_at = clock_timestamp(), wait_signal = null, wait_step = null, updated_at = now()
         where x.id = r.id;
    end if;
    return true;
end
$$;

-- Gives the oldest unused signal of that name to the step's result.  The run's row is locked by the caller.
create or replace function public.work_signal_take(r public.workflow_runs, p_step text, p_name text) returns boolean
    language plpgsql as $$
declare
    s public.workflow_signals;
begin
    select * into s from public.workflow_signals x
     where x.run_id = r.id and x.name = p_name and x.used_at is null order by x.position limit 1;
    if not found then
        return false;
    end if;
    update public.workflow_signals x set used_at = now() where x.run_id = s.run_id and x.id = s.id;
    update public.workflow_steps t set result = coalesce(t.result, '{}') || jsonb_build_object('signal', s.payload)
     where t.run_id = r.id and t.generation = r.generation and t.step = p_step and not t.undo;
    return true;
end
$$;

-- Ends a run; what it did is undone in reverse.  A step that is under way is finished first.  False: it is over already.
create or replace function public.work_cancel(p_id text) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    r public.workflow_runs;
begin
    select * into r from public.workflow_runs x where x.id = p_id for update;
    if not found or r.state in ('done', 'canceled') or (r.cancel_requested and r.state <> 'failed') then
        return false;
    end if;
    if r.state = 'working' then
        update public.workflow_runs x set cancel_requested = true, updated_at = now() where x.id = p_id;
        return true;
    end if;
    if not exists (select from public.workflow_steps s where s.run_id = p_id and s.generation = r.generation) then
        update public.workflow_runs x
           set state = 'canceled', cancel_requested = true, due_at = null, finished_at = now(), wait_signal = null, wait_step = null,
               updated_at = now()
         where x.id = p_id;
        return true;
    end if;
    -- The engine knows which of its steps can be undone.
    update public.workflow_steps s set state = 'retry', tries = 0, finished_at = null
     where s.run_id = p_id and s.generation = r.generation and s.undo and s.state = 'failed';
    update public.workflow_runs x
       set state = 'ready', cancel_requested = true, rescues = 0, undo_to = 'canceled', due_at = clock_timestamp(), finished_at = null,
           wait_signal = null, wait_step = null, updated_at = now()
     where x.id = p_id;
    return true;
end
$$;

-- A dead letter goes on where it failed.  One that has been undone begins anew, as the next generation.
create or replace function public.work_redrive(p_id text) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    r public.workflow_runs;
    v_failed boolean;
begin
    select * into r from public.workflow_runs x where x.id = p_id and x.state = 'failed' for update;
    if not found then
        return false;
    end if;
    -- What may have been done is not simply done again: it is looked up first.  What was answered is only applied again.
    update public.workflow_steps s
       set state = case when s.result is not null then 'answered' when s.unsure or s.reason = 'outcome_unknown' then 'unknown' else 'retry' end,
           tries = 0, looks = 0, due_at = null, started_at = now(), finished_at = null
     where s.run_id = p_id and s.generation = r.generation and s.state = 'failed' and s.undo = (r.undo_to is not null);
    v_failed := found;
    update public.workflow_runs x
       set state = 'ready', due_at = clock_timestamp(), finished_at = null, rescues = 0, updated_at = now(),
           generation = x.generation + case when x.undo_to is not null and not v_failed then 1 else 0 end,
           step = case when x.undo_to is not null and not v_failed then null else x.step end,
           undo_to = case when x.undo_to is not null and not v_failed then null else x.undo_to end
     where x.id = p_id;
    return true;
end
$$;

-- ---- views ------------------------------------------------------------------

-- One line of a list.  The input is left out: it may be long, and hold what operators need not read.
create or replace function public.work_run_line(r public.workflow_runs) returns jsonb
    language sql stable security definer set search_path = '' as $$
    select jsonb_build_object('id', r.id, 'workflow', r.workflow, 'organization_id', r.organization_id, 'state', r.state,
        'generation', r.generation, 'step', r.step, 'undo_to', r.undo_to, 'slot', public.time_view(r.slot), 'due_at', public.time_view(r.due_at),
        'wait_signal', r.wait_signal, 'cancel_requested', r.cancel_requested, 'worker', case when r.state = 'working' then r.worker end,
        'known', exists (select from public.workflows w where w.name = r.workflow),
        'last_error', r.last_error, 'created_at', public.time_view(r.created_at), 'updated_at', public.time_view(r.updated_at),
        'finished_at', public.time_view(r.finished_at))
$$;

-- A run with its history, oldest first; null when there is none.
create or replace function public.work_run_view(p_id text) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select public.work_run_line(r)
        || jsonb_build_object('steps', (
            select coalesce(jsonb_agg(jsonb_build_object('generation', s.generation, 'step', s.step, 'undo', s.undo, 'state', s.state,
                'visit', s.visit, 'attempts', s.attempts, 'looks', s.looks, 'key', public.work_key(r.id, s), 'result', s.result,
                'reason', s.reason, 'due_at', public.time_view(s.due_at), 'started_at', public.time_view(s.started_at),
                'first_sent_at', public.time_view(s.first_sent_at), 'sent_at', public.time_view(s.sent_at),
                'finished_at', public.time_view(s.finished_at)) order by s.generation, s.undo, s.started_at, s.step), '[]')
              from public.workflow_steps s where s.run_id = r.id))
        || jsonb_build_object('signals', (
            select coalesce(jsonb_agg(jsonb_build_object('id', g.id, 'name', g.name, 'created_at', public.time_view(g.created_at),
                'used_at', public.time_view(g.used_at)) order by g.position), '[]')
              from public.workflow_signals g where g.run_id = r.id))
      from public.workflow_runs r where r.id = p_id);
end
$$;
