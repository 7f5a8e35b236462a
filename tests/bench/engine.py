"""The engine for durable runs: steps a second against one committed update a step; a claim beside 100,000 runs that
wait."""

import os
import secrets
import subprocess
import tempfile
import time
from pathlib import Path

import measure
from trial import Trial

# As many pumps as keep the machine busy; the floor has its clients.
RUNS, STEPS, PUMPS, CLIENTS = 2_000, 10, 4, 16
WAITING, READY, TRIES, WARM, BATCH = 100_000, 1_000, 15, 3, 200
NAMES = ("engine-steps", "engine-claim-100k")

FUNCTIONS = """
create function public.bench_step(p_run jsonb) returns jsonb language plpgsql as $$ begin return null; end $$;
create table public.bench_rows (id integer primary key, step integer not null default 0) with (fillfactor = 70);
insert into public.bench_rows (id) select generate_series(1, 2000);
alter table public.bench_rows owner to hookswitch_pump;
grant execute on function public.bench_step(jsonb) to hookswitch_pump;
grant select, update on public.bench_rows to hookswitch_webhook;
"""
# What a step costs at the least: one update, committed.
FLOOR = "\\set k random(1, 2000)\nupdate public.bench_rows set step = step + 1 where id = :k;\n"
# A third waits for a signal, a third sleeps, a third is due in ten years.
WAITERS = """
insert into workflow_runs (id, workflow, state, wait_signal, wait_step, due_at)
select 'waits:' || k, %(workflow)s, case when k %% 3 = 0 then 'waiting' else 'ready' end,
       case when k %% 3 = 0 then 'go' end, case when k %% 3 = 0 then 'one' end,
       case k %% 3 when 1 then now() + interval '1 hour' when 2 then now() + interval '10 years' end
  from generate_series(1, %(n)s) k"""


class Engine(Trial):
    """A database with the engine's tables; the programs are those of the plain build."""

    def __init__(self, build):
        super().__init__(tempfile.mkdtemp(prefix="hookswitch-bench-"), None, HOOKSWITCH_PUMP_QUIET_MS=250)
        self.program = Path(build) / "tests" / "faults" / "trial"

    def __enter__(self):
        super().__enter__()
        with self.connect() as db:
            db.execute(FUNCTIONS)
        return self


def steps(engine):
    """One round: steps a second, from the first to the last."""
    prefix = secrets.token_hex(4)
    engine.sql("select work_start(%s || k, 'bench') from generate_series(1, %s) k", prefix, RUNS)
    engine.sql("vacuum (analyze) workflow_runs")
    since = time.perf_counter()
    pumps = [subprocess.Popen([engine.program, "--once"], env=engine.environment(), stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) for _ in range(PUMPS)]
    said = [pump.communicate()[1] for pump in pumps]
    took = time.perf_counter() - since
    ended = engine.value("select count(*) from workflow_runs where id like %s and state = 'done'", prefix + "%")
    assert ended == RUNS and not any(pump.returncode for pump in pumps), f"{ended} of {RUNS} runs: {said}"
    engine.sql("truncate workflow_runs cascade")
    return RUNS * STEPS / took


def floor(engine):
    """Committed updates a second."""
    script = Path(engine.folder) / "floor.sql"
    script.write_text(FLOOR)
    engine.build = None
    return measure.pgbench(engine, script, RUNS * STEPS, {}, CLIENTS)


def compare_steps(engine, rounds):
    """Both in turn; the row."""
    steps(engine)
    took = [(steps(engine), floor(engine)) for _ in range(rounds)]
    values, floors = zip(*took)
    return measure.more_is_better("engine-steps", values, floors)


def claim(engine):
    """Milliseconds of one look for what is due and one claim, as the engine makes them; undone again."""
    with engine.db.transaction(force_rollback=True):
        since = time.perf_counter()
        engine.db.execute("select public.work_due('{bench}')", prepare=True)
        got = engine.db.execute("select public.work_claim('{bench}', %s, 'bench', 15, true)", (BATCH,), prepare=True).fetchone()[0]
        took = (time.perf_counter() - since) * 1000
    assert len(got["runs"]) == BATCH, f"{len(got['runs'])} claimed"
    return took


def compare_claims(engine):
    """With and without those that wait."""
    engine.sql("truncate workflow_runs cascade")
    engine.sql("select work_start('due:' || k, 'bench', '{}', null, now() - interval '1 minute') from generate_series(1, %s) k", READY)
    engine.sql("vacuum (analyze) workflow_runs")
    alone = [claim(engine) for _ in range(WARM + TRIES)][WARM:]
    with engine.connect() as db:
        db.execute(WAITERS, {"n": WAITING, "workflow": "bench"})
    engine.sql("vacuum (analyze) workflow_runs")
    beside = [claim(engine) for _ in range(WARM + TRIES)][WARM:]
    measure.note(f"engine-claim-100k: {max(beside):.2f} ms at most, alone {max(alone):.2f} ms")
    return measure.less_is_better("engine-claim-100k", beside, alone)


def run(new_stack, wanted, rounds):
    """The rows of the engine."""
    assert os.environ.get("HOOKSWITCH_TEST_DATABASE_URL")
    with Engine(new_stack.keywords["build"]) as engine:
        if "engine-steps" in wanted:
            yield compare_steps(engine, rounds)
        if "engine-claim-100k" in wanted:
            yield compare_claims(engine)
