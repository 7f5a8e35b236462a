"""kill -9 of the engine at each named point, and inside steps: in the end each run is over and each effect was once."""

import json
import os
import subprocess
import time

import pytest
from stack_process import wait_until
from trial import Trial, step
from trial_provider import Provider

from faulty import crash_points

POINTS = [name for name in crash_points() if name.startswith("work_")]
SCHEDULE = [name for name in POINTS if "schedule" in name]
FULL = os.environ.get("HOOKSWITCH_TEST_FULL") == "1"
# The full form also dies at later passages of the same point.
SKIPS = (0, 1, 2, 5, 9)
RUNS = 5


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """The engine from the build with crash points."""
    if not os.environ.get("HOOKSWITCH_TEST_DATABASE_URL"):
        pytest.skip("no cluster for tests at hand (./dev test makes one)")
    with Provider() as provider, Trial(tmp_path_factory.mktemp("trial"), provider, build="HOOKSWITCH_CRASH_BUILD_DIR",
                                       HOOKSWITCH_WORK_LEASE_SECONDS=1, TRIAL_TIMEOUT_MS=500) as running:
        yield running


def test_every_boundary_of_the_engine_has_a_point():
    assert len(POINTS) >= 17
    for path in ("claim", "intent", "asked", "answered", "look", "record", "renewed", "schedule", "turn"):
        assert any(name.startswith("work_" + path) for name in POINTS), f"no point of {path}"


def trouble(trial):
    """Some answers are lost on the way, too, so that looks are made."""
    trial.reset()
    for name in ("charge", "ship", "left", "right"):
        trial.provider.rule("lost_after", name)
        trial.provider.rule("lost_before", name)
    trial.provider.rule(None, "right", times=2, delay=0.4)  # long enough for a lease to be renewed


def test_a_death_at_each_point_loses_no_run_and_doubles_no_effect(trial):
    """A pump for each point, all of them at once; each dies there and is followed by one that lives.  There is work
    until all of them have died."""
    trouble(trial)
    marks = {point: trial.folder / f"once-{point}" for point in POINTS if point not in SCHEDULE}
    runs, pumps = [], {}

    def over():
        left = [point for point, once in marks.items() if not once.exists()]
        for point in marks:
            if point not in pumps or not pumps[point].alive:
                pumps[point] = trial.begin(wait=2 if point == "work_turn_end" else 3600, HOOKSWITCH_CRASH_POINT=point,
                                           HOOKSWITCH_CRASH_ONCE=marks[point], HOOKSWITCH_WORK_BATCH=2)
        if left and sum((trial.states() or {}).get(s, 0) for s in ("ready", "working")) < 10:
            runs.extend(trial.start(10, prefix=f"more-{len(runs)}", turn={"sleep_seconds": 0.05}))
            trial.provider.rule("lost_after", "ship", times=2)
            trial.provider.rule(None, "right", delay=0.4)
        return not left and trial.over(len(runs))

    trial.work(over, n=0)
    assert trial.states() == {"done": len(runs)}
    trial.invariants(runs)


if FULL:
    @pytest.mark.parametrize("skip", SKIPS)
    @pytest.mark.parametrize("point", [name for name in POINTS if name not in SCHEDULE])
    def test_a_death_at_this_point_loses_no_run_and_doubles_no_effect(trial, point, skip):
        """Each point by itself, also at its later passages."""
        trouble(trial)
        once = trial.folder / f"once-{point}-{skip}"
        runs = trial.start(RUNS, turn={"sleep_seconds": 0.05})

        trial.work(lambda: trial.over(RUNS) and (once.exists() or skip > 0), wait=2, HOOKSWITCH_CRASH_POINT=point,
                   HOOKSWITCH_CRASH_ONCE=once, HOOKSWITCH_CRASH_SKIP=skip)

        assert trial.states() == {"done": RUNS}
        trial.invariants(runs)


@pytest.mark.parametrize("point", SCHEDULE)
def test_a_death_beside_a_schedule_starts_each_slot_once(trial, point):
    trial.reset()
    once = trial.folder / f"once-{point}"
    trial.sql("select work_schedule('tick', 'bare', '* * * * *', 'all')")
    trial.sql("update workflow_schedules set next_at = date_trunc('minute', now()) - interval '9 minutes'")
    trial.work(lambda: once.exists() and (trial.states() or {}).get("done", 0) >= 10, n=2, HOOKSWITCH_CRASH_POINT=point,
               HOOKSWITCH_CRASH_ONCE=once)
    slots = trial.sql("select id, slot from workflow_runs order by slot")
    assert 10 <= len(slots) <= 12
    assert all((b.slot - a.slot).total_seconds() == 60 for a, b in zip(slots, slots[1:]))
    assert set(trial.marks().values()) == {1}


@pytest.mark.parametrize("method,name", [("POST", "charge"), ("POST", "ship"), ("GET", "ship"), ("GET", "charge"),
                                         ("POST", "left"), ("POST", "right"), ("GET", "left"), ("GET", "right")])
def test_a_death_inside_a_step_while_the_provider_thinks(trial, name, method):
    """kill -9 while a request, or a look, is at the provider; nothing of it was answered yet."""
    trial.reset()
    if method == "GET":
        trial.provider.rule("after_500" if name in ("charge", "left") else "lost_after", name)
    trial.provider.hold((method, name))
    runs = trial.start(1)
    pump = trial.begin()
    wait_until(lambda: trial.provider.held[method, name], what=f"{method} {name}")
    trial.pumps.remove(pump)
    pump.kill()
    trial.provider.abandon()
    trial.work(lambda: trial.over(1))
    assert trial.states() == {"done": 1}
    trial.invariants(runs)


def test_a_run_that_ends_whoever_works_on_it_becomes_a_dead_letter_and_takes_no_other_with_it(trial):
    trial.reset()
    trial.start(1, prefix="deadly", ends="charge")
    runs = trial.start(20)

    def over():
        if not FULL:  # the short form leaves five deaths out
            trial.sql("update workflow_runs set rescues = 8 where rescues = 3 and id = 'deadly-0'")
        return trial.over(21)

    trial.work(over, HOOKSWITCH_WORK_BATCH=50)
    assert trial.states() == {"done": 20, "failed": 1}
    assert trial.run("deadly-0")["last_error"] == "rescued_too_often"
    assert step(trial.run("deadly-0"), "charge")["attempts"] <= 11
    trial.invariants(runs)
    # Somebody has mended it: what it was at is settled as after any other death.
    trial.sql("update workflow_runs set input = input - 'ends'")
    assert trial.value("select work_redrive('deadly-0')")
    trial.work(lambda: trial.states() == {"done": 21})
    trial.invariants(["deadly-0"])


def test_a_dead_engines_runs_are_taken_over_within_thirty_seconds(trial):
    """The full form waits for the lease of fifteen seconds that is the default, the short one for a shorter lease."""
    described = subprocess.run([trial.program, "--describe-settings"], env=trial.environment(), capture_output=True,
                               text=True, check=True).stdout
    lease = {s["name"]: s["default"] for s in json.loads(described)}["HOOKSWITCH_WORK_LEASE_SECONDS"]
    assert int(lease) <= 15
    lease = int(lease) if FULL else 3
    trial.reset()
    trial.provider.hold(("POST", "charge"))
    runs = trial.start(3)
    pump = trial.begin(HOOKSWITCH_WORK_LEASE_SECONDS=lease)
    wait_until(lambda: trial.provider.held["POST", "charge"], what="the request")
    trial.pumps.remove(pump)
    pump.kill()
    died = time.monotonic()
    trial.provider.abandon()
    trial.work(lambda: trial.over(3), HOOKSWITCH_WORK_LEASE_SECONDS=lease)
    assert time.monotonic() - died < 30
    trial.invariants(runs)
