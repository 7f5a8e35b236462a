"""What the tests of faults share: how a run is brought to its end while programs die."""

import collections
import itertools
import re
import time
from pathlib import Path

from stack_process import PATIENCE, wait_until

TOP = Path(__file__).resolve().parent.parent.parent

# Short leases and time limits, so that what a dead process held is free again within seconds.
QUICK = {"HOOKSWITCH_LEASE_SECONDS": 1, "HOOKSWITCH_DIAL_TIMEOUT_MS": 1000, "HOOKSWITCH_PUMP_QUIET_MS": 20}

# Points of the engine: before the result of a step is in the database; after it, each step is behind the run that died.
BEFORE = ["work_claimed", "work_intent_before", "work_intent_sent", "work_intended", "work_asked", "work_answered", "work_record_before"]
AFTER = ["work_recorded", "work_record_sent"]


def crash_points():
    """The names in crash.def, in their order."""
    text = (TOP / "common" / "base" / "crash.def").read_text()
    return re.findall(r"^CRASH_POINT\((\w+),", text, re.MULTILINE)


def keep_pumping(stack, until, deadline=2 * PATIENCE, wait=3600, **how):
    """A pump waits and dials until the condition holds; when its turn is over or it dies the next one is started, as a
    timer would.  Answers how often it died."""
    died, end = 0, time.monotonic() + deadline
    pump = stack.pump_begin(wait=wait, **how)
    while not until():
        if not pump.alive:
            died += pump.wait() < 0
            stack.pumps.remove(pump)
            pump = stack.pump_begin(wait=wait, **how)
        assert time.monotonic() < end, f"not over after {deadline} s; the pump died {died} times\n{pump.text()[-2000:]}"
        time.sleep(0.02)
    if pump.alive:
        stack.pump_end(pump, expect=None)
    else:
        stack.pumps.remove(pump)
    return died


class Deaths:
    """Pumps of an engine (trial.Trial) that die, one after the other; which steps were under way then.

    Each lives for one step at most: where a point is not on the step's way (it asks nobody), the point in front of its result is."""

    def __init__(self, engine, before=BEFORE, after=AFTER):
        self.engine, self.seen, self.tried, self.lives = engine, collections.Counter(), set(), 0
        self.before, self.after = itertools.cycle(before), itertools.cycle(after)
        self.points = itertools.cycle((self.before, self.after))

    def new(self):
        """A run that is due at a step at which nobody died yet, if there is one: it is next."""
        due = self.engine.sql("select id, workflow, coalesce(step, '(first)') from workflow_runs where due_at <= now() order by due_at, id")
        found = next((r for r in due if (r[1], r[2]) not in self.seen and r not in self.tried), None)
        if found:
            self.tried.add(found)
            self.engine.sql("update workflow_runs set due_at = now() - interval '1 day' where id = %s and due_at <= now()", found[0])
        return found

    def die(self):
        """One pump, which dies at the next point unless nothing is left to do; what it held is free at once."""
        point = next(self.before if self.new() else next(self.points))
        pump = self.engine.begin(wait=0, HOOKSWITCH_CRASH_POINT=f"{point},{'work_record_before' if point in BEFORE else 'work_record_sent'}")
        pump.wait()
        self.lives += 1
        self.engine.pumps.remove(pump)
        # What it had asked the database for is done, or never will be.
        wait_until(lambda: not self.engine.value("select count(*) from pg_stat_activity where datname = current_database() and usename = 'hookswitch_app'"),
                   what="the dead pump's connections")
        for workflow, step in self.engine.sql("select workflow, step from workflow_runs where state = 'working'"):
            self.seen[workflow, step or "(first)"] += 1
        self.engine.free()

    def until(self, over):
        """Deaths until the condition holds."""
        end = time.monotonic() + 300
        while not over():
            assert time.monotonic() < end, (self.lives, self.seen, self.engine.states(), self.engine.sql("select id, state, step, last_error from workflow_runs where state <> 'done'"))
            self.die()
        return self
