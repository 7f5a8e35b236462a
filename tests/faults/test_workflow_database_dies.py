"""PostgreSQL stopped and started again and again under the engine: no run is lost, no effect is doubled."""

import os
import random
import threading
import time

import psycopg
from trial import Trial
from trial_provider import Provider

from own_cluster import Cluster

FULL = os.environ.get("HOOKSWITCH_TEST_FULL") == "1"
# The full form goes on as long as there is work; the short one cuts three times.  Three pumps: the stand-in lives in this
# process, and select() takes no descriptor above 1,023.
RUNS, PUMPS, PAUSE, CUTS, DEADLINE = (20_000, 3, (5, 40), 1000, 1800) if FULL else (300, 3, (0.5, 1.5), 3, 300)
SEED = 20261120


def cut_again_and_again(cluster, over, cuts):
    """Until it is over: killed as by a power cut, or stopped, and started after a moment."""
    chance = random.Random(SEED)
    while len(cuts) < CUTS and not over.wait(chance.uniform(*PAUSE)):
        if len(cuts) % 2:
            cluster.kill()
        else:
            cluster.stop()
        time.sleep(chance.uniform(0.1, 1))
        cluster.start()
        cuts.append(time.monotonic())


def test_runs_survive_a_database_that_stops_and_starts(tmp_path):
    over, cuts = threading.Event(), []
    with Cluster() as cluster, Provider() as provider, Trial(
            tmp_path, provider, admin=cluster.url, HOOKSWITCH_WORK_LEASE_SECONDS=2, TRIAL_TIMEOUT_MS=500) as trial:
        runs = trial.start(RUNS)
        provider.trouble, provider.random = 0.02, random.Random(SEED)

        def done():
            """There is work until the database was away often enough."""
            if len(cuts) < 3 and trial.over():
                runs.extend(trial.start(100, prefix=f"more-{len(runs)}"))
            return len(cuts) >= 3 and trial.over(len(runs))

        cutter = threading.Thread(target=cut_again_and_again, args=(cluster, over, cuts))
        cutter.start()
        try:
            trial.work(lambda: attempt(done), n=PUMPS, deadline=DEADLINE)
        finally:
            over.set()
            cutter.join()
        trial.states()  # connects again
        assert trial.states() == {"done": len(runs)}
        trial.invariants(runs)


def attempt(condition):
    """False while the database is away in the middle of it."""
    try:
        return condition()
    except psycopg.OperationalError:
        return False
