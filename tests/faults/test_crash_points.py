"""kill -9 at each named point of the dialler, the webhook path and the resolver: in the end no call is lost, none is
dialled twice, and no line stays held."""

import os

import pytest
from stack import Stack, build_dir
from stack_process import wait_until

from faulty import QUICK, crash_points, keep_pumping

# Those of a request are died at in test_idempotency_storm.py, those of durable runs in test_workflow_crash_points.py.
POINTS = [name for name in crash_points() if not name.startswith(("keyed_", "work_"))]
# The full form also dies at the second and the fourth time that a point is passed.
SKIPS = (0, 1, 3) if os.environ.get("HOOKSWITCH_TEST_FULL") == "1" else (0,)
WEBHOOKS = ("vapi-webhook", "synthflow-webhook")


@pytest.fixture(scope="module")
def crashing(tmp_path_factory):
    """A stack from the build with crash points."""
    with Stack(tmp_path_factory.mktemp("crash"), build=build_dir("HOOKSWITCH_CRASH_BUILD_DIR"), settings=QUICK) as stack:
        yield stack


def test_there_are_at_least_twenty_points_and_the_three_paths_have_some():
    assert len(POINTS) >= 20
    for path in ("claim", "sent", "post", "record", "webhook", "look", "hangup", "sweep"):
        assert any(name.startswith(path) for name in POINTS), f"no point of {path}"


def prepare(stack):
    """Calls that take every way: plain ones at both providers, one whose answer is lost, one that is hung up."""
    stack.provider("vapi", max_concurrent_calls=3)
    stack.provider("synthflow", max_concurrent_calls=3)
    stack.template(("vapi",), name="at Vapi", created_at="2026-01-01")
    at_vapi = stack.template(("vapi",), name="only Vapi")
    at_synthflow = stack.template(("synthflow",), name="only SynthFlow")
    lost, endless = stack.number(), stack.number()
    for provider in ("vapi", "synthflow"):
        stack.sandbox.rule({"answer": "hang", "accept": True}, provider=provider, number=lost, times=1)
    stack.sandbox.rule({"stuck": True}, provider="vapi", number=endless)
    who = stack.user("alice")
    stack.schedule(3, who, at_vapi)
    stack.schedule(3, who, at_synthflow)
    for template in (at_vapi, at_synthflow):
        stack.schedule(1, who, template, recipient_number=lost)
    return who, stack.schedule(1, who, at_vapi, recipient_number=endless)[0]


def cancel_once_it_lives(stack, who, call, done):
    """Cancels the endless call as soon as it is at the provider."""
    if not done and stack.count("call_assignments", "call_id = %s and state = 'accepted'", call):
        who.post(f"/api/v1/calls/{call}/cancel")
        done.append(True)
    return bool(done)


@pytest.mark.parametrize("skip", SKIPS)
@pytest.mark.parametrize("point", POINTS)
def test_a_death_at_this_point_loses_nothing_and_doubles_nothing(crashing, point, skip):
    stack = crashing
    stack.reset()
    who, endless = prepare(stack)
    once = stack.folder / f"once-{point}-{skip}"
    env = {"HOOKSWITCH_CRASH_POINT": point, "HOOKSWITCH_CRASH_ONCE": once, "HOOKSWITCH_CRASH_SKIP": skip}
    for name in WEBHOOKS:
        stack.start_program(name, env=env, keeper=True)
    canceled = []

    keep_pumping(stack, lambda: (cancel_once_it_lives(stack, who, endless, canceled) and stack.all_over()
                                 and (once.exists() or skip > 0)),
                 wait=1, env=env)

    stack.invariants()
    assert stack.count("calls", "status = 'completed'") == 8
    assert stack.call(endless).status == "canceled"
    wait_until(lambda: all(stack.sandbox.dials()["live"][p] == 0 for p in ("vapi", "synthflow")), what="free lines")
