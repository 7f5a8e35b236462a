"""kill -9 of stripe-webhook and paddle-webhook at each point of their way: the provider sends the event again, and in the end it is kept
once, followed once and applied once."""

import json

import pytest
from stack import Stack, build_dir
from stack_hooks import Hooks
from stack_process import wait_until

from faulty import QUICK, crash_points

POINTS = [name for name in crash_points() if name.startswith("webhook_")]
# What of them lies behind the commit: the first one is kept then, and the one that is sent again is a duplicate.
AFTER = ("webhook_kept", "webhook_answered")


@pytest.fixture(scope="module")
def crashing(tmp_path_factory):
    """A stack from the build with crash points."""
    with Stack(tmp_path_factory.mktemp("money"), build=build_dir("HOOKSWITCH_CRASH_BUILD_DIR"), settings=QUICK) as stack:
        yield stack


def event_of(stack, provider, organization):
    """An event that has an effect."""
    if provider == "stripe":
        return {"id": "evt_1", "type": "invoice.paid", "data": {"object": {"id": "in_1"}}}
    stack.sql("insert into plan_prices (provider, price_id, plan_id) select 'paddle', 'pri_1', id from subscription_plans where name = 'basic'")
    return {"event_id": "evt_1", "event_type": "subscription.activated", "occurred_at": "2026-01-05T12:00:00.000001Z", "data": {
        "id": "sub_1", "status": "active", "customer_id": "ctm_1", "items": [{"price": {"id": "pri_1"}, "quantity": 1}],
        "currency_code": "USD", "custom_data": {"organization_id": organization}}}


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("provider", ["stripe", "paddle"])
def test_a_death_at_this_point_keeps_the_event_once(crashing, provider, point):
    stack = crashing
    stack.reset()
    hooks, alice = Hooks(stack), stack.user("alice")
    event = json.dumps(event_of(stack, provider, str(alice.organization))).encode()
    once = stack.folder / f"once-{provider}-{point}"
    stack.start_program(f"{provider}-webhook", env={"HOOKSWITCH_CRASH_POINT": point, "HOOKSWITCH_CRASH_ONCE": once}, keeper=True)
    first = hooks.money(provider, event)
    wait_until(once.exists, what="the death")
    assert point == "webhook_answered" or first.status_code == 502, first.text
    assert point not in AFTER or stack.count("webhook_events") == 1

    wait_until(lambda: hooks.money(provider, event).status_code == 200, what="the event that is sent again")
    assert stack.count("webhook_events") == stack.count("webhook_event_keys") == 1
    if provider == "stripe":
        assert stack.count("workflow_runs", "id = 'stripe:evt_1'") == 1 and hooks.states() == ["waiting"]
    else:
        assert hooks.states() == ["applied"]
        assert stack.count("subscriptions", "origin = 'paddle' and current and organization_id = %s", alice.organization) == 1
        assert stack.count("billing_events", "event_type = 'subscription_created'") == 1
