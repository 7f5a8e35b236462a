"""What the tests of faults share: how a run is brought to its end while programs die."""

import re
import time
from pathlib import Path

from stack_process import PATIENCE

TOP = Path(__file__).resolve().parent.parent.parent

# Short leases and time limits, so that what a dead process held is free again within seconds.
QUICK = {"HOOKSWITCH_LEASE_SECONDS": 1, "HOOKSWITCH_DIAL_TIMEOUT_MS": 1000, "HOOKSWITCH_PUMP_QUIET_MS": 20}


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
