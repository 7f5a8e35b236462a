-- 0009_workflows.sql - work that outlives a request: runs, their steps, the signals they wait for, and what starts them by the clock.
--
-- What a workflow's steps are is a table in C (common/work/flow_*.c); what has become of a run is here.

create table public.workflow_runs (
    id text collate "C" constraint workflow_runs_pkey primary key,
    workflow text collate "C" not null,
    organization_id uuid constraint workflow_runs_organization_fkey references public.organizations (id) on delete set null,
    state text not null default 'ready',
    generation integer not null default 1,
    step text,
    input jsonb not null default '{}',
    slot timestamptz,
    due_at timestamptz default now(),
    fence bigint not null default 0,
    moves bigint not null default 0,
    rescues integer not null default 0,
    worker text,
    wait_signal text,
    wait_step text,
    cancel_requested boolean not null default false,
    undo_to text,
    last_error text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    finished_at timestamptz,
    constraint workflow_runs_id_check check (length(id) between 1 and 300 and id !~ '[\x01-\x1f\x7f]'),
    constraint workflow_runs_workflow_check check (length(workflow) between 1 and 100),
    constraint workflow_runs_input_check check (jsonb_typeof(input) = 'object'),
    constraint workflow_runs_state_check check (state in ('ready', 'working', 'waiting', 'done', 'failed', 'canceled')),
    constraint workflow_runs_undo_check check (undo_to in ('failed', 'canceled')),
    constraint workflow_runs_over_check check ((state in ('done', 'failed', 'canceled')) = (finished_at is not null)),
    -- What is over is never due; what is not over is due at some time, but for one that waits for a signal without a limit.
    constraint workflow_runs_due_check check (case when state in ('ready', 'working') then due_at is not null
                                                   when state = 'waiting' then true else due_at is null end),
    constraint workflow_runs_wait_check check ((state = 'waiting') = (wait_signal is not null))
) with (fillfactor = 70);
comment on table public.workflow_runs is 'Runs of workflows: work of several steps that outlives a request.  failed is the dead letter: it stays until it is redriven or canceled.';
comment on column public.workflow_runs.id is 'Of the caller''s choosing: starting it twice is starting it once.';
comment on column public.workflow_runs.generation is 'One more each time the run goes on as a new one.';
comment on column public.workflow_runs.step is 'The step that is next, or under way; null: the first.';
comment on column public.workflow_runs.slot is 'Of a schedule: the time that this run stands for.';
comment on column public.workflow_runs.due_at is 'When somebody may take it: its time, the end of a lease, or the time limit of a wait.  Null: never.';
comment on column public.workflow_runs.wait_step is 'The step whose result takes the signal that is waited for.';
comment on column public.workflow_runs.fence is 'One more with each claim; who holds an older one is not heard any more.';
comment on column public.workflow_runs.moves is 'One more each time it comes to another step: a result that is told twice moves it once.';
comment on column public.workflow_runs.rescues is 'How often in a row its lease ran out and nothing of it was recorded: perhaps it ends whoever works on it.';
comment on column public.workflow_runs.undo_to is 'Set while steps are being undone: the state that follows.';

-- The one index of the claim.  What is due in ten years, or waits for a signal, lies behind what is due now and costs nothing.
create index workflow_runs_due_idx on public.workflow_runs (workflow, due_at) where due_at is not null;
-- Without the id: while the table is empty these would seem as good for finding one run as its key, in plans that are kept.
create index workflow_runs_created_idx on public.workflow_runs (created_at);
create index workflow_runs_failed_idx on public.workflow_runs (created_at) where state = 'failed';
create index workflow_runs_finished_idx on public.workflow_runs (finished_at) where state in ('done', 'canceled');
create index workflow_runs_rescued_idx on public.workflow_runs (due_at) where rescues >= 3 and due_at is not null;
create index workflow_runs_waiting_idx on public.workflow_runs (workflow) where state = 'waiting' and due_at is null;
create index workflow_runs_organization_idx on public.workflow_runs (organization_id) where organization_id is not null;
alter table public.workflow_runs set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

create table public.workflow_steps (
    run_id text collate "C" not null constraint workflow_steps_run_fkey references public.workflow_runs (id) on delete cascade,
    generation integer not null,
    step text collate "C" not null,
    undo boolean not null default false,
    state text not null,
    visit integer not null default 1,
    attempts integer not null default 0,
    tries integer not null default 0,
    looks integer not null default 0,
    suffix integer not null default 0,
    look_first boolean not null default false,
    unsure boolean not null default false,
    fence bigint,
    due_at timestamptz,
    first_sent_at timestamptz,
    sent_at timestamptz,
    result jsonb,
    directive jsonb,
    reason text,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    constraint workflow_steps_pkey primary key (run_id, generation, step, undo),
    constraint workflow_steps_state_check check (state in ('sent', 'unknown', 'retry', 'answered', 'done', 'failed')),
    constraint workflow_steps_finished_check check (state not in ('done', 'failed') or finished_at is not null)
) with (fillfactor = 80);
comment on table public.workflow_steps is 'What became of each step of each run, and of undoing it: the history.  Results keep named fields only.';
comment on column public.workflow_steps.state is 'sent: the intent is written, perhaps it is under way; unknown: perhaps done; retry: certainly not done; answered: done, and its effect here is not yet written; done; failed.';
comment on column public.workflow_steps.visit is 'How often the run came by here in this generation.';
comment on column public.workflow_steps.attempts is 'How often it was sent (of an SQL step: tried), in all.';
comment on column public.workflow_steps.tries is 'The same since the run was last redriven.';
comment on column public.workflow_steps.suffix is 'Makes another idempotency key, after the provider has stored a failure under the one before.';
comment on column public.workflow_steps.look_first is 'The provider has stored a failure under this key: look before it is sent again.';
comment on column public.workflow_steps.unsure is 'Its outcome was unknown once and nobody has looked since: that a repetition was certainly not done says nothing of what was sent before.';
comment on column public.workflow_steps.first_sent_at is 'When it was first sent under the present key.';
alter table public.workflow_steps set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

create table public.workflow_signals (
    run_id text collate "C" not null constraint workflow_signals_run_fkey references public.workflow_runs (id) on delete cascade,
    id text collate "C" not null,
    position bigint generated always as identity,
    name text not null,
    payload jsonb not null default '{}',
    created_at timestamptz not null default now(),
    used_at timestamptz,
    constraint workflow_signals_pkey primary key (run_id, id),
    constraint workflow_signals_id_check check (length(id) between 1 and 300),
    constraint workflow_signals_name_check check (length(name) between 1 and 100)
);
comment on table public.workflow_signals is 'What runs are told from outside, used or not yet; one that comes before the run waits for it is not lost.';
create index workflow_signals_unused_idx on public.workflow_signals (run_id, name, position) where used_at is null;

create table public.workflow_schedules (
    id text collate "C" constraint workflow_schedules_pkey primary key,
    workflow text not null,
    cron text not null,
    missed text not null default 'skip',
    input jsonb not null default '{}',
    organization_id uuid constraint workflow_schedules_organization_fkey references public.organizations (id) on delete cascade,
    is_active boolean not null default true,
    next_at timestamptz,
    last_slot timestamptz,
    last_error text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint workflow_schedules_missed_check check (missed in ('skip', 'one', 'all')),
    constraint workflow_schedules_input_check check (jsonb_typeof(input) = 'object'),
    constraint workflow_schedules_id_check check (length(id) between 1 and 200)
);
comment on table public.workflow_schedules is 'What is started by the clock, in UTC.  Each slot is a run of the id <schedule>:<slot>, and so is started once.';
comment on column public.workflow_schedules.missed is 'Slots that nobody was there for: skip them, start one for all of them, or all.';
comment on column public.workflow_schedules.next_at is 'The next slot; null: not reckoned yet (a row that was written or changed by hand).';
create index workflow_schedules_next_idx on public.workflow_schedules (next_at) where is_active;
create index workflow_schedules_organization_idx on public.workflow_schedules (organization_id) where organization_id is not null;

create table public.workflows (
    name text collate "C" constraint workflows_pkey primary key,
    steps text[] not null,
    doc text,
    seen_at timestamptz not null default now()
);
comment on table public.workflows is 'The workflows that some program of this installation knows, written down by it; runs of others are left alone.';

insert into public.state_moves (machine, from_state, to_state) values
    ('workflow_runs', 'ready', 'working'),
    ('workflow_runs', 'ready', 'canceled'),
    ('workflow_runs', 'waiting', 'working'),
    ('workflow_runs', 'waiting', 'ready'),
    ('workflow_runs', 'waiting', 'canceled'),
    ('workflow_runs', 'working', 'ready'),
    ('workflow_runs', 'working', 'waiting'),
    ('workflow_runs', 'working', 'done'),
    ('workflow_runs', 'working', 'failed'),
    ('workflow_runs', 'working', 'canceled'),
    -- A dead letter that is redriven; or undone, since somebody gave it up.
    ('workflow_runs', 'failed', 'ready'),
    ('workflow_runs', 'failed', 'canceled'),
    ('workflow_steps', 'sent', 'unknown'),
    ('workflow_steps', 'sent', 'retry'),
    ('workflow_steps', 'sent', 'answered'),
    ('workflow_steps', 'sent', 'done'),
    ('workflow_steps', 'sent', 'failed'),
    ('workflow_steps', 'unknown', 'sent'),
    ('workflow_steps', 'unknown', 'retry'),
    ('workflow_steps', 'unknown', 'answered'),
    ('workflow_steps', 'unknown', 'done'),
    ('workflow_steps', 'unknown', 'failed'),
    ('workflow_steps', 'retry', 'sent'),
    ('workflow_steps', 'retry', 'answered'),
    ('workflow_steps', 'retry', 'done'),
    ('workflow_steps', 'retry', 'failed'),
    ('workflow_steps', 'answered', 'done'),
    ('workflow_steps', 'answered', 'failed'),
    -- The run comes by again (a loop), or is redriven.
    ('workflow_steps', 'done', 'retry'),
    ('workflow_steps', 'failed', 'retry'),
    ('workflow_steps', 'failed', 'unknown'),
    ('workflow_steps', 'failed', 'answered');

create trigger workflow_runs_state before update of state on public.workflow_runs
    for each row when (old.state is distinct from new.state) execute function public.check_state_move('workflow_runs', 'state');
create trigger workflow_steps_state before update of state on public.workflow_steps
    for each row when (old.state is distinct from new.state) execute function public.check_state_move('workflow_steps', 'state');

-- Runs are the house's own: no tenant sees them; what concerns a tenant is in the tables that its steps write.
do $$
declare
    t text;
begin
    foreach t in array array['workflows', 'workflow_runs', 'workflow_steps', 'workflow_signals', 'workflow_schedules'] loop
        execute format('alter table public.%I enable row level security', t);
        execute format('alter table public.%I force row level security', t);
        execute format('revoke all on public.%I from public, anon, authenticated, service_role', t);
        execute format('create policy %I on public.%I to hookswitch_pump using (true) with check (true)', t || '_pump', t);
        execute format('grant select, insert, update, delete on public.%I to hookswitch_pump', t);
        execute format('create policy %I on public.%I for select to hookswitch_operator using (true)', t || '_operator', t);
        execute format('grant select on public.%I to hookswitch_operator', t);
        execute format('create policy %I on public.%I to service_role using (true) with check (true)', t || '_service', t);
        execute format('grant select on public.%I to service_role', t);
    end loop;
end
$$;
grant usage, select on all sequences in schema public to hookswitch_pump;
