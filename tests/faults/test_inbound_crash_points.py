"""kill -9 at each point of the webhook path while calls come in: each is kept, ended and counted once, and who asked has an answer."""

import json
import os

import pytest
from stack import Stack, build_dir
from stack_inbound import Line
from stack_process import wait_until

from faulty import QUICK, crash_points, keep_pumping

POINTS = [name for name in crash_points() if name.startswith(("webhook_", "look_", "hangup_"))]
# The full form also dies at the second and the fourth time that a point is passed.
SKIPS = (0, 1, 3) if os.environ.get("HOOKSWITCH_TEST_FULL") == "1" else (0,)


@pytest.fixture(scope="module")
def crashing(tmp_path_factory):
    """A stack from the build with crash points."""
    with Stack(tmp_path_factory.mktemp("crash"), build=build_dir("HOOKSWITCH_CRASH_BUILD_DIR"), settings=QUICK) as stack:
        yield stack


@pytest.mark.parametrize("skip", SKIPS)
@pytest.mark.parametrize("point", POINTS)
def test_a_death_at_this_point_loses_no_call_and_doubles_none(crashing, point, skip):
    stack = crashing
    stack.reset()
    who = stack.user("alice")
    linked, asks = Line(stack, who, linked=True), Line(stack, who)
    stack.sql("update call_service_providers set silence_seconds = 0.3")
    once = stack.folder / f"inbound-{point}-{skip}"
    env = {"HOOKSWITCH_CRASH_POINT": point, "HOOKSWITCH_CRASH_ONCE": once, "HOOKSWITCH_CRASH_SKIP": skip}
    stack.start_program("vapi-webhook", env=env, keeper=True)
    silent, endless = stack.number(), stack.number()
    stack.sandbox.rule({"lose": ["status-update:ended", "end-of-call-report"]}, provider="vapi", operation="webhook", number=silent)
    # Of a call whose question was lost with all that follows nobody can know: the silent one is told of while it rings.
    idents = [line.ring(caller, talk_seconds=75) for line, caller in ((linked, None), (asks, None), (linked, silent), (asks, None))]
    idents.append(linked.ring(endless, stuck=True))
    canceled = []

    def over():
        live = linked.call(idents[-1])
        if not canceled and live and live.progress == "in-progress":
            who.post(f"/api/v1/calls/{live.id}/cancel")
            canceled.append(True)
        return canceled and all(linked.call(i) and linked.call(i).finished_at for i in idents) and stack.all_over()

    keep_pumping(stack, over, wait=1, env=env)

    stack.sandbox.idle()
    stack.invariants()
    assert once.exists() or skip > 0, "nothing died"
    assert linked.call(idents[-1]).status == "canceled"
    for ident in idents[:-1]:
        call = linked.call(ident)
        said = [json.loads(w["answer"]) if w["status"] == 200 else None for w in stack.sandbox.webhooks(call_id=ident, type="assistant-request")]
        if said == [None]:
            # Nobody asks twice: who got no answer was turned away by Vapi, and that is what is kept.
            assert (call.status, call.ended_reason) == ("failed", "assistant-request-failed")
        else:
            assert said in ([], [{"assistantId": asks.vapi_assistant}])
            assert (call.status, call.duration_seconds) == ("completed", 75)
    wait_until(lambda: stack.sandbox.dials()["live"]["vapi"] == 0, what="free lines")
