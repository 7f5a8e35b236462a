-- 82_work_keep.sql - writes what 82_work_record.sql has made of runs and steps: in one statement for all of them where that can be, since a
-- statement costs more than a row (its constraints alone are read and prepared each time).

-- Writes runs that go on with a lease that lasts long enough: an index less to write, and all of them in one statement.
create or replace function public.work_runs_keep(p_runs public.workflow_runs[]) returns void
    language plpgsql as $$
begin
    update public.workflow_runs x
       set generation = n.generation, moves = n.moves, step = n.step, input = n.input, undo_to = n.undo_to, last_error = n.last_error,
           rescues = 0, updated_at = now()
      from unnest(p_runs) n where x.id = n.id;
end
$$;

-- Writes the run as it is now, with the lease where it goes on.
create or replace function public.work_keep(n public.workflow_runs, p_lease double precision) returns void
    language plpgsql as $$
begin
    if n.state = 'working' and n.worker is null then
        return; -- steps of it are under way
    end if;
    update public.workflow_runs x
       set generation = n.generation, moves = n.moves, step = n.step, input = n.input, undo_to = n.undo_to, last_error = n.last_error, updated_at = now(),
           rescues = 0, state = n.state, wait_signal = n.wait_signal, wait_step = n.wait_step,
           due_at = case when n.state = 'working' then clock_timestamp() + make_interval(secs => p_lease)
                         when n.state in ('ready', 'waiting') then n.due_at end,
           finished_at = case when n.state in ('done', 'failed', 'canceled') then now() end
     where x.id = n.id;
end
$$;

-- Writes steps, new ones and old ones.
create or replace function public.work_steps_keep(p_steps public.workflow_steps[]) returns void
    language plpgsql as $$
begin
    insert into public.workflow_steps select n.* from unnest(p_steps) n
    on conflict (run_id, generation, step, undo) do update
       set state = excluded.state, attempts = excluded.attempts, tries = excluded.tries, looks = excluded.looks, suffix = excluded.suffix,
           look_first = excluded.look_first, unsure = excluded.unsure, fence = excluded.fence, due_at = excluded.due_at,
           first_sent_at = excluded.first_sent_at, result = excluded.result, directive = excluded.directive, reason = excluded.reason,
           finished_at = excluded.finished_at;
end
$$;
