"""kill -9 of workflow-pump at each named point while it sends texts: in the end each was sent, and none twice."""

from collections import Counter

import pytest
from stack import Stack, build_dir
from stack_process import wait_until

from faulty import crash_points

POINTS = [name for name in crash_points()
          if name.startswith("work_") and not name.startswith(("work_schedule", "work_renewed"))]
# What a dead pump had handed to its kernel has reached the sandbox before a text is believed to be absent.
SETTINGS = {"HOOKSWITCH_WORK_LEASE_SECONDS": 1, "HOOKSWITCH_SMS_LOOK_SECONDS": 5}
AT_ONCE = 3


@pytest.fixture(scope="module")
def crashing(tmp_path_factory):
    """A stack from the build with crash points."""
    with Stack(tmp_path_factory.mktemp("texts"), build=build_dir("HOOKSWITCH_CRASH_BUILD_DIR"), settings=SETTINGS,
               start=("status",)) as stack:
        yield stack


def due(stack):
    """What waits for another try is due now."""
    stack.sql("update workflow_steps set due_at = now() where due_at > now()")
    stack.sql("update workflow_runs set due_at = now() where state = 'ready' and due_at > now()")


def send(stack, numbers):
    """Some more texts; the answer to one is lost after it was sent, to another before."""
    for action in ({"answer": "reset"}, {"status": 500}, None):
        number = stack.number()
        if action:
            stack.sandbox.rule(action, provider="twilio", number=number, times=1)
        assert stack.value("select public.sms_send(%s, %s, 'Hello')", number, number)
        numbers.append(number)


def states(stack):
    """How many runs are in which state."""
    return dict(tuple(row) for row in stack.sql("select state, count(*)::integer from workflow_runs where workflow = 'sms' group by 1"))


def test_a_death_at_each_point_loses_no_text_and_sends_none_twice(crashing):
    stack, numbers = crashing, []

    def dies(point, once):
        if states(stack).get("ready", 0) < AT_ONCE:
            send(stack, numbers)
        due(stack)
        stack.work(expect=None, env={"HOOKSWITCH_CRASH_POINT": point, "HOOKSWITCH_CRASH_ONCE": once, "HOOKSWITCH_WORK_BATCH": 2})
        return once.exists()

    for point in POINTS:
        once = stack.folder / f"once-{point}"
        wait_until(lambda p=point, o=once: dies(p, o), what=f"a death at {point}")

    def over():
        due(stack)
        stack.work(wait=1)
        return set(states(stack)) == {"done"}

    wait_until(over, what="all texts being sent")
    assert Counter(t["to"] for t in stack.sandbox.texts()) == Counter(numbers) and len(numbers) >= AT_ONCE
