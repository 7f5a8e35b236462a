"""The engine by itself, with the workflows of tests/faults/trial.c: a database, settings, a stand-in provider, pumps.

    with Provider() as provider, Trial(folder, provider) as trial:
        trial.start(10)
        trial.work(lambda: trial.over())
        trial.invariants()
"""

import os
import secrets
import subprocess
import time
from pathlib import Path

import psycopg

import stack_process as process
from stack_rows import Rows, summary_of

# What the trial's SQL steps do.  trial_marks counts what they did: its rows are the effects.
FUNCTIONS = """
create table public.trial_marks (run text, generation integer, step text, kind text, slot text, at timestamptz default clock_timestamp());
create function public.trial_mark(p_run jsonb, p_kind text) returns void language sql as $$
    insert into public.trial_marks (run, generation, step, kind, slot)
    select p_run ->> 'id', (p_run ->> 'generation')::integer, p_run ->> 'step', p_kind, p_run ->> 'slot' $$;
create function public.trial_note(p_run jsonb) returns jsonb language plpgsql as $$
begin
    perform public.trial_mark(p_run, 'done');
    if p_run -> 'input' ->> 'broken' = p_run ->> 'step' then
        raise exception 'not_found' using errcode = 'PT404';
    end if;
    return jsonb_build_object('result', jsonb_build_object('id', 'note-' || (p_run ->> 'id'), 'secret', 'not-to-be-stored'));
end $$;
create function public.trial_unnote(p_run jsonb) returns jsonb language plpgsql as $$
begin
    perform public.trial_mark(p_run, 'undone');
    return null;
end $$;
create function public.trial_prepare(p_run jsonb) returns jsonb language plpgsql as $$
begin
    return case when p_run -> 'input' -> 'prepare' is not null then p_run -> 'input' -> 'prepare'
                else '{"prepared":{"secret":"prepared-secret"}}' end;
end $$;
create function public.trial_apply(p_run jsonb) returns jsonb language plpgsql as $$
begin
    perform public.trial_mark(p_run, 'done');
    if p_run -> 'input' ->> 'broken' = p_run ->> 'step' then
        raise exception 'not_found' using errcode = 'PT404';
    end if;
    return null;
end $$;
create function public.trial_turn(p_run jsonb) returns jsonb language plpgsql as $$
begin
    perform public.trial_mark(p_run, 'done');
    return p_run -> 'input' -> 'turn';
end $$;
create function public.trial_bare(p_run jsonb) returns jsonb language plpgsql as $$
begin
    perform public.trial_mark(p_run, 'done'), pg_sleep((p_run -> 'input' ->> 'slow')::float);
    return p_run -> 'input' -> (p_run ->> 'step');
end $$;
alter table public.trial_marks owner to hookswitch_pump;
grant execute on all functions in schema public to hookswitch_pump;
"""


def step(run, name, undo=False):
    """One step of a run's history."""
    return next((s for s in run["steps"] if s["step"] == name and s["undo"] == undo), None)


class Trial(Rows):
    """A database of its own on the cluster for tests, or on another."""

    def __init__(self, folder, provider, admin=None, build="HOOKSWITCH_BUILD_DIR", **settings):
        self.folder, self.provider = Path(folder), provider
        self.admin = admin or os.environ["HOOKSWITCH_TEST_DATABASE_URL"]
        top = Path(__file__).resolve().parent.parent
        self.program = Path(os.environ.get(build) or top / ".dev" / "build-developer") / "tests" / "faults" / "trial"
        self.conf, self.pumps, self.settings, self.workers = self.folder / "trial.conf", [], settings, 0
        self.hurried = 0

    def __enter__(self):
        self.database_make(f"trial_{os.getpid()}_{secrets.token_hex(4)}")
        with self.connect() as db:
            db.execute(FUNCTIONS)
        return self

    def __exit__(self, *_):
        for pump in self.pumps:
            pump.stop()
        self.database_drop()

    # ---- pumps -------------------------------------------------------------------

    def environment(self, **more):
        """Each pump waits in a folder of its own, as if on a host of its own."""
        self.workers += 1
        run = self.folder / f"run-{self.workers % 64}"
        run.mkdir(exist_ok=True)
        values = {"DATABASE_URL": self.url_of("hookswitch_app"), "HOOKSWITCH_RUN_DIR": run, "HOOKSWITCH_PUMP_QUIET_MS": 30, **self.settings, **more}
        return process.environment(**values)

    def pump(self, wait=None, expect=0, **env):
        """One turn until its end; its summary."""
        done = subprocess.run([self.program, "--once", *(["--wait", str(wait)] if wait else [])], text=True,
                              env=self.environment(**env), capture_output=True, timeout=process.PATIENCE, check=False)
        with open(self.folder / "pump.log", "a", encoding="utf-8") as log:
            log.write(done.stderr)
        assert expect is None or done.returncode == expect, f"{done.returncode}: {done.stdout}{done.stderr[-3000:]}"
        return summary_of(done.stdout) if done.returncode in (0, 1) else None

    def begin(self, wait=3600, **env):
        """A turn in the background."""
        pump = process.Process("trial", [self.program, "--once", "--wait", wait], self.folder / "pump.log",
                               self.environment(**env))
        self.pumps.append(pump)
        return pump

    def end(self, pump):
        """SIGTERM; answers the status."""
        self.pumps.remove(pump)
        return pump.stop()

    def work(self, over, n=1, deadline=process.PATIENCE, **env):
        """So many pumps at work, each started again when it dies, until the condition holds."""
        until = time.monotonic() + deadline
        try:
            while not over():
                assert time.monotonic() < until, f"not over in {deadline} s: {self.states()}"
                self.pumps = [pump for pump in self.pumps if pump.alive]
                while len(self.pumps) < n:
                    self.begin(**env)
                time.sleep(0.02)
        finally:
            for pump in self.pumps[:]:
                self.end(pump)

    # ---- runs ----------------------------------------------------------------------

    def start(self, n=1, workflow="trial", prefix="run", due=None, **given):
        """So many runs; their ids."""
        ids = [f"{prefix}-{k}" for k in range(n)]
        self.sql("""select work_start(i, %s, %s, null, %s) from unnest(%s::text[]) i""", workflow,
                 psycopg.types.json.Jsonb({"url": self.provider.url, **given}), due, ids)
        return ids

    def run(self, ident="run-0"):
        """A run as operators see it."""
        return self.value("select work_run_view(%s)", ident)

    def states(self):
        """How many runs are in which state; None while the database is away."""
        try:
            if self.db.broken or self.db.closed:
                self.db = self.connect(autocommit=True)
            return dict(self.sql("select state, count(*) from workflow_runs group by 1"))
        except psycopg.OperationalError:
            return None

    def over(self, n=None):
        """Whether every run has ended, and there are so many."""
        states = self.states()
        if states is None or any(states.get(s) for s in ("ready", "working", "waiting")):
            return False
        return n is None or sum(states.values()) == n

    def ends(self, state, ident="run-0", n=None):
        """Works until all is over; the run, which is in that state."""
        self.work(lambda: self.over(n))
        run = self.run(ident)
        assert run["state"] == state, run
        return run

    def settled(self, workflows, every=0):
        """No run of these workflows is under way; none of them waits for another try, at most so many seconds."""
        if time.monotonic() - self.hurried >= every:
            self.hurry(workflows)
            self.hurried = time.monotonic()
        return not self.value("select count(*) from workflow_runs where workflow = any (%s) and state in ('ready', 'working', 'waiting')", list(workflows))

    def hurry(self, workflows):
        """What is to be tried again later is tried again now."""
        self.sql("""with r as (select r.id from workflow_runs r where r.workflow = any (%s) and r.state = 'ready' and r.due_at > now() order by r.id for update),
                         s as (update workflow_steps s set due_at = now() from r where r.id = s.run_id and s.due_at > now())
                    update workflow_runs x set due_at = now() from r where r.id = x.id""", list(workflows))

    def free(self):
        """What a dead worker held, as if its lease had run out: it is next.  Runs are locked in their order, as the engine locks them."""
        self.sql("""with r as (select r.id from workflow_runs r where r.state = 'working' order by r.id for update)
                    update workflow_runs x set due_at = now() - interval '1 hour', rescues = least(x.rescues, 1) from r where r.id = x.id""")

    def reset(self):
        """No runs; a provider that knows nothing and behaves."""
        self.forget_rows()
        self.sql("delete from trial_marks")
        self.provider.rules.clear()
        self.provider.trouble = 0.0
        self.provider.abandon()
        for seen in (self.provider.effects, self.provider.requests, self.provider.looks, self.provider.keys,
                     self.provider.secrets, self.provider.unsure):
            seen.clear()
        self.provider.doubles.clear()
        self.provider.unlooked.clear()

    def marks(self, kind="done"):
        """(run, step) of what SQL steps did, and how often."""
        return {(m[0], m[1]): m[2] for m in
                self.sql("select run, step, count(*) from trial_marks where kind = %s group by 1, 2", kind)}

    def invariants(self, runs, steps=("charge", "ship", "left", "right"), marks=("note", "charge", "ship", "turn", "close")):
        """Each effect once: at both providers and here; nobody sent again without having looked; no secret was kept."""
        assert not self.provider.doubles, self.provider.doubles[:10]
        assert not self.provider.unlooked, self.provider.unlooked[:10]
        missing = [(r, s) for r in runs for s in steps if self.provider.effects[r, s] != 1]
        assert not missing, missing[:10]
        seen = self.marks()
        assert {(r, s): seen.get((r, s)) for r in runs for s in marks} == {(r, s): 1 for r in runs for s in marks}
        assert self.value("""select count(*) from workflow_steps s
                              where s::text like '%not-to-be-stored%' or s::text like '%prepared-secret%'""") == 0
        assert self.value("""select count(*) from workflow_runs where state in ('done', 'canceled', 'failed')
                                and (due_at is not null or finished_at is null)""") == 0
