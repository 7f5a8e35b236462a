"""kill -9 of twilio-webhook at each point of its way: Twilio (or whoever sends it once more) sends the text again, and in the end it is kept
once and has stopped once."""

import pytest
from stack import Stack, build_dir
from stack_hooks import Hooks
from stack_process import wait_until

from faulty import QUICK, crash_points

POINTS = [name for name in crash_points() if name.startswith("webhook_")]
# What of them lies behind the commit: the first one is kept then, and the one that is sent again is a duplicate.
AFTER = ("webhook_kept", "webhook_answered")
STOP = {"MessageSid": "SM1", "From": "+15550100077", "To": "+12025550100", "Body": "STOP"}


@pytest.fixture(scope="module")
def crashing(tmp_path_factory):
    """A stack from the build with crash points."""
    with Stack(tmp_path_factory.mktemp("twilio"), build=build_dir("HOOKSWITCH_CRASH_BUILD_DIR"), settings=QUICK) as stack:
        yield stack


@pytest.mark.parametrize("point", POINTS)
def test_a_death_at_this_point_keeps_the_text_once(crashing, point):
    stack = crashing
    stack.reset()
    hooks, alice = Hooks(stack), stack.user("alice")
    stack.sql("insert into phone_numbers (organization_id, phone_number, origin, status) values (%s, '+12025550100', 'chosen', 'active')", alice.organization)
    once = stack.folder / f"once-{point}"
    stack.start_program("twilio-webhook", env={"HOOKSWITCH_CRASH_POINT": point, "HOOKSWITCH_CRASH_ONCE": once}, keeper=True)
    first = hooks.twilio("/sms", STOP)
    wait_until(once.exists, what="the death")
    assert point == "webhook_answered" or first.status_code == 502, first.text
    assert point not in AFTER or stack.count("webhook_events") == 1

    wait_until(lambda: hooks.twilio("/sms", STOP).status_code == 200, what="the text that is sent again")
    assert stack.count("webhook_events") == stack.count("webhook_event_keys") == stack.count("text_messages") == stack.count("do_not_call") == 1
    assert hooks.states() == ["applied"] and stack.count("events", "type in ('message.received', 'message.opted_out')") == 2
