-- 82_work_upkeep.sql - what the engine does beside steps: which workflows there are, what is started by the clock, pruning, figures.

-- A program says which workflows it knows, and whether it has their settings: [{name, steps, doc, ready}].  Written at most once a minute unless something changed.  A schedule that
-- was written in the future was written by a clock that has been set back since: its next slot is reckoned anew, else it would be silent
-- until then.  A slot that was there already stays once.
create or replace function public.work_known(p_workflows jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    insert into public.workflows (name, steps, doc, is_ready)
    select w ->> 'name', array(select jsonb_array_elements_text(w -> 'steps')), w ->> 'doc', coalesce((w ->> 'ready')::boolean, true)
      from jsonb_array_elements(p_workflows) w order by 1
    on conflict (name) do update set steps = excluded.steps, doc = excluded.doc, is_ready = excluded.is_ready, seen_at = now()
     where workflows.seen_at not between now() - interval '1 minute' and now()
        or (workflows.steps, workflows.doc, workflows.is_ready) is distinct from (excluded.steps, excluded.doc, excluded.is_ready);
    update public.workflow_schedules s set next_at = null, updated_at = now() where s.updated_at > now() + interval '1 minute';
end
$$;

-- ---- schedules ----------------------------------------------------------------

-- Makes or changes a schedule.  When its time is changed the next slot is reckoned anew, from now on.
create or replace function public.work_schedule(p_id text, p_workflow text, p_cron text, p_missed text default 'skip',
                                                p_input jsonb default '{}', p_organization uuid default null) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    insert into public.workflow_schedules (id, workflow, cron, missed, input, organization_id)
    values (p_id, p_workflow, p_cron, p_missed, coalesce(p_input, '{}'), p_organization)
    on conflict (id) do update
       set workflow = excluded.workflow, cron = excluded.cron, missed = excluded.missed, input = excluded.input,
           organization_id = excluded.organization_id, updated_at = now(), last_error = null,
           next_at = case when workflow_schedules.cron = excluded.cron then workflow_schedules.next_at end
     where (workflow_schedules.workflow, workflow_schedules.cron, workflow_schedules.missed, workflow_schedules.input,
            workflow_schedules.organization_id)
        is distinct from (excluded.workflow, excluded.cron, excluded.missed, excluded.input, excluded.organization_id);
end
$$;

-- Schedules whose next slot has come, or is not reckoned yet.  Times in seconds of the epoch.
create or replace function public.work_schedules_due(p_workflows text[]) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select coalesce(jsonb_agg(x), '[]') from (
        select jsonb_build_object('id', s.id, 'cron', s.cron, 'missed', s.missed, 'next', floor(extract(epoch from s.next_at))::bigint,
                                  'now', floor(extract(epoch from clock_timestamp()))::bigint) x
          from public.workflow_schedules s
         where s.is_active and (s.next_at is null or s.next_at <= statement_timestamp()) and s.workflow = any (p_workflows)
         order by s.next_at limit 100) y);
end
$$;

-- Starts the runs of these slots and goes on to the next one.  Guarded: of two programs that see the same slot one does it; and a slot's
-- run has an id of its own, so that even twice would be once.
create or replace function public.work_schedule_fire(p_id text, p_from bigint, p_slots bigint[], p_next bigint, p_error text) returns integer
    language plpgsql security definer set search_path = '' as $$
declare
    s public.workflow_schedules;
    v_started integer;
begin
    update public.workflow_schedules x
       set next_at = coalesce(timestamptz 'epoch' + p_next * interval '1 second', 'infinity'), last_error = p_error, updated_at = now(),
           last_slot = coalesce(timestamptz 'epoch' + p_slots[cardinality(p_slots)] * interval '1 second', x.last_slot)
     where x.id = p_id and x.is_active
       and date_trunc('second', x.next_at) is not distinct from timestamptz 'epoch' + p_from * interval '1 second'
    returning * into s;
    if not found then
        return 0;
    end if;
    insert into public.workflow_runs (id, workflow, organization_id, input, slot, due_at)
    select s.id || ':' || public.work_slot(t.slot), s.workflow, s.organization_id,
           s.input || jsonb_build_object('slot', public.work_slot(t.slot)), t.slot, clock_timestamp()
      from (select timestamptz 'epoch' + u * interval '1 second' as slot from unnest(p_slots) u) t
    on conflict (id) do nothing;
    get diagnostics v_started = row_count;
    return v_started;
end
$$;

-- ---- order ----------------------------------------------------------------------

-- Old runs that are over go, some at a time; dead letters stay ten times as long.  Answers how many went.
create or replace function public.work_prune(p_keep_days integer) returns integer
    language plpgsql security definer set search_path = '' as $$
declare
    v_pruned integer;
begin
    delete from public.workflow_runs r using (
        select a.id from (
            select x.id from public.workflow_runs x
             where x.state in ('done', 'canceled') and x.finished_at < now() - make_interval(days => p_keep_days)
             order by x.finished_at limit 900 for update skip locked) a
        union all
        -- Nothing is over before it is made: so an index of one serves the other.
        select b.id from (
            select x.id from public.workflow_runs x
             where x.state = 'failed' and x.created_at < now() - make_interval(days => p_keep_days * 10)
               and x.finished_at < now() - make_interval(days => p_keep_days * 10)
             order by x.created_at limit 100 for update skip locked) b) d
     where r.id = d.id;
    get diagnostics v_pruned = row_count;
    return v_pruned;
end
$$;

-- For /metrics.  What is over is not counted row by row: there may be millions.
create or replace function public.work_metrics() returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (
        with open_runs as (
            select r.workflow, r.state, r.due_at, r.last_error, w.name is not null and w.seen_at > now() - interval '1 day' as known
              from (select x.workflow, x.state, x.due_at, x.last_error from public.workflow_runs x where x.due_at is not null
                    union all
                    select x.workflow, x.state, x.due_at, x.last_error from public.workflow_runs x where x.state = 'waiting' and x.due_at is null
                    union all
                    select x.workflow, x.state, x.due_at, x.last_error from public.workflow_runs x where x.state = 'failed') r
              left join public.workflows w on w.name = r.workflow)
        select jsonb_build_array(
            public.metric('workflow_runs', 'gauge', 'Runs that are not over, and dead letters (failed), by workflow and state.', (
                select jsonb_agg(public.sample(jsonb_build_object('workflow', g.workflow, 'state', g.state), g.n))
                  from (select o.workflow, o.state, count(*) as n from open_runs o group by 1, 2 order by 1, 2) g)),
            public.metric('workflow_oldest_due_seconds', 'gauge', 'How long the oldest run that is due has been waiting.', (
                select jsonb_build_array(public.sample('{}', coalesce(round(extract(epoch from clock_timestamp() - min(o.due_at)), 3), 0)))
                  from open_runs o where o.state in ('ready', 'waiting') and o.due_at <= clock_timestamp() and o.known)),
            public.metric('workflow_dead_letters', 'gauge', 'Runs that failed for good and wait for somebody.', (
                select jsonb_build_array(public.sample('{}', count(*))) from open_runs o where o.state = 'failed')),
            public.metric('workflow_unknown', 'gauge', 'Runs of a workflow, or at a step, that no program of today knows.', (
                select jsonb_build_array(public.sample('{}', count(*))) from open_runs o
                 where o.state <> 'failed' and (not o.known or o.last_error = 'unknown_step'))),
            public.metric('workflow_total', 'counter', 'Turns of the engine, runs that it took, those that others had left, steps by what became of them.', (
                select jsonb_agg(public.sample(jsonb_build_object('what', c.type), c.seen) order by c.type)
                  from public.webhook_counts c where c.provider = 'work'))));
end
$$;
