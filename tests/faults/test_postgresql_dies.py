"""PostgreSQL killed and started again in the middle of a run: no call is lost, none is dialled twice, no line leaks."""

import os
import time

import psycopg
from stack import Stack
from stack_process import wait_until

from faulty import QUICK, keep_pumping
from own_cluster import Cluster

CALLS = 500
# How many calls are over when the database is killed; the full form kills it more often.
KILLS = [50, 100, 200, 250, 350, 450] if os.environ.get("HOOKSWITCH_TEST_FULL") == "1" else [100, 250]


def finished(stack):
    """How many calls are over; None while nobody answers."""
    try:
        if stack.db.broken or stack.db.closed:
            stack.db = stack.connect(autocommit=True)
        return stack.count("calls", "finished_at is not null")
    except psycopg.OperationalError:
        return None


def cut_when(stack, cluster, marks):
    """A condition for keep_pumping: the end of all calls, with a power cut each time a mark is passed."""
    def over():
        n = finished(stack)
        if n is not None and marks and n >= marks[0]:
            marks.pop(0)
            cluster.kill()
            time.sleep(0.3)  # the time in which programs meet the closed door
            cluster.start()
            return False
        return n == CALLS and not marks and stack.all_over()
    return over


def test_five_hundred_calls_survive_a_database_that_is_killed(tmp_path):
    durations = {"queued": 0.02, "ringing": 0.05, "in_progress": 0.1, "report": 0.05}
    with Cluster() as cluster, Stack(tmp_path, admin=cluster.url, keeper=True, settings=QUICK,
                                     sandbox={"durations": durations}) as stack:
        stack.provider("vapi", max_concurrent_calls=25)
        stack.provider("synthflow", max_concurrent_calls=25)
        who = stack.user("alice")
        stack.schedule(CALLS // 2, who, stack.template(("vapi",)))
        stack.schedule(CALLS // 2, who, stack.template(("synthflow",)))

        keep_pumping(stack, cut_when(stack, cluster, list(KILLS)), deadline=300)

        stack.invariants()
        assert stack.count("calls", "status = 'completed'") == CALLS
        wait_until(lambda: stack.anybody().ask("GET", "/readyz").status_code == 200, what="readiness")
