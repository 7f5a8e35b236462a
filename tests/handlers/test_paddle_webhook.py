"""Paddle's webhook: proved by any of its signatures, kept once, applied in the same statement; in any order, the same rows."""

import itertools
import json
import time
import uuid

import pytest

from stack import TOP, wait_until
from stack_client import problem
from stack_hooks import Hooks, mac, paddle_signature
from stack_operators import ADMIN, operator

RECORDED = TOP / "tests" / "data" / "paddle"
PRICE, PLAN = "pri_01gsz8x8sawmvhz1pv30nge1ke", "business"


@pytest.fixture
def hooks(stack):
    """Sends webhooks; a price at Paddle stands for a plan."""
    stack.sql("insert into plan_prices (provider, price_id, plan_id) select 'paddle', %s, id from subscription_plans where name = %s", PRICE, PLAN)
    return Hooks(stack)


def recorded(name, who=None, at=None, **data):
    """An event as it was recorded, of who's organization: another event each time."""
    event = json.loads((RECORDED / f"webhook.{name}.json").read_text())
    event["event_id"] = "evt_" + uuid.uuid4().hex
    event["occurred_at"] = f"2026-01-05T12:00:{at:02}.000001Z" if at is not None else event["occurred_at"]
    event["data"].update(data, **({"custom_data": {"organization_id": str(who.organization)}} if who else {}))
    return event


def taken(hooks, body, headers=None):
    """It is answered 200; what became of it."""
    answer = hooks.money("paddle", body, headers)
    assert answer.status_code == 200 and answer.json() == {}, answer.text
    return hooks.states()[-1]


def current(stack, who):
    """The organization's current subscription."""
    return stack.sql("""select s.*, p.name as plan from subscriptions s left join subscription_plans p on p.id = s.plan_id
                         where s.organization_id = %s and s.current""", who.organization)[0]


# ---- what it does ---------------------------------------------------------------


def test_who_pays_at_paddle_has_the_plan_when_the_answer_is_there(stack, hooks, alice):
    assert taken(hooks, recorded("subscription.activated", alice)) == "applied"
    s = current(stack, alice)
    assert (s.origin, s.external_id, s.status, s.plan, s.external_price_id) == ("paddle", "sub_01hv8x29kz0t586xy6zn1a62ny", "active", PLAN, PRICE)
    assert s.current_period_end.isoformat() == "2024-05-12T10:18:47+00:00" and s.read_number == 1712917129658605
    assert stack.value("select organization_id::text from webhook_events") == str(alice.organization)


def test_a_bill_that_comes_first_waits_for_its_subscription(stack, hooks, alice):
    assert taken(hooks, recorded("transaction.completed")) == "waiting"
    assert taken(hooks, recorded("subscription.activated", alice)) == "applied"
    stack.sql("update webhook_events set try_at = now() where state = 'waiting'")
    stack.pump()
    assert hooks.states() == ["applied", "applied"]
    bill, = stack.sql("select organization_id::text, status, number, currency, total_cents, tax_cents, amount_paid_cents, jsonb_array_length(lines) as lines from invoices")
    assert tuple(bill) == (str(alice.organization), "paid", "325-10566", "usd", 65215, 5315, 65215, 3)


def test_a_life_in_every_order_ends_the_same(stack, hooks, alice):
    """Five events of one life, in each order, some of them twice: the last one's state stands, and nothing is told of two."""
    life = [recorded("subscription.created", alice, 1), recorded("subscription.updated", alice, 2, id="sub_01hv8x29kz0t586xy6zn1a62ny"),
            recorded("subscription.past_due", alice, 3, id="sub_01hv8x29kz0t586xy6zn1a62ny"),
            recorded("subscription.activated", alice, 4), recorded("subscription.canceled", alice, 5, id="sub_01hv8x29kz0t586xy6zn1a62ny")]
    for event in life:
        event["data"]["customer_id"] = "ctm_1"
    orders = list(itertools.permutations(range(5)))
    for n, order in enumerate(orders[::8] + orders[-1:]):
        stack.sql("delete from webhook_event_keys")
        stack.sql("delete from webhook_events")
        stack.sql("delete from subscriptions where origin = 'paddle'")
        stack.sql("delete from workflow_runs")
        for i in order + order[n % 5:n % 5 + 1]:
            assert hooks.money("paddle", life[i]).status_code == 200
        row, = stack.sql("select status, external_status, read_number, current from subscriptions where origin = 'paddle'")
        assert tuple(row) == ("canceled", "canceled", 1767614405000001, False), order
        assert current(stack, alice).origin == "manual" and set(hooks.states()) <= {"applied", "ignored"} and len(hooks.states()) == 5


def test_nobody_gets_a_plan_by_an_event_that_is_not_his(stack, hooks, alice, bob):
    assert taken(hooks, recorded("subscription.activated")) == "waiting"
    assert taken(hooks, recorded("subscription.activated", alice, items=[])) == "applied"
    assert current(stack, alice).plan is None
    taken(hooks, recorded("subscription.activated", alice, 9))
    assert current(stack, alice).plan == PLAN
    assert taken(hooks, recorded("subscription.activated", bob, 10)) == "applied"
    assert current(stack, bob).origin == "manual", "it is alice's, whatever its seller writes to it later"
    for odd in ("no uuid", "00000000-0000-4000-8000-000000000000", None, 7, ["x"]):
        event = recorded("subscription.activated", at=11, id="sub_other", customer_id="ctm_other")
        event["data"]["custom_data"] = {"organization_id": odd}
        assert taken(hooks, event) == "waiting"
    assert stack.count("subscriptions", "origin = 'paddle'") == 1
    assert stack.count("billing_differences", "kind = 'stranger' and resolved_at is null") >= 1


def test_copies_are_one(stack, hooks, alice):
    event = recorded("subscription.activated", alice)
    for _ in range(5):
        taken(hooks, event)
    # A replay keeps the event's id and has an id of its own for the delivery.
    taken(hooks, {**event, "notification_id": "ntf_other"})
    assert hooks.states() == ["applied"]


@pytest.mark.parametrize("disorder", [None, {"copies": 3}, {"delay": 0.2}], ids=str)
def test_a_life_at_paddles_own_pace(stack, hooks, alice, disorder):
    """What the sandbox sends for a purchase, a failed renewal, a recovery and an end; it lasts as long as at Paddle."""
    stack.sandbox_reset(paddle_webhook_url=f"{stack.url}/api/webhooks/paddle", paddle_webhook_secret=stack.secrets["paddle"])
    if disorder:
        stack.sandbox.rule(disorder, provider="paddle", operation="webhook", times=2)
    stack.sandbox.paddle_do("prices", id=PRICE, amount="2900")
    bought = stack.sandbox.paddle_do("subscriptions", items=[{"price_id": PRICE, "quantity": 1}], custom_data={"organization_id": str(alice.organization)})

    def reaches(status, plan=PLAN):
        wait_until(lambda: (current(stack, alice).status, current(stack, alice).plan) == (status, plan), what=f"{status} {plan}")
    reaches("active")
    ident = current(stack, alice).external_id
    assert ident == bought["id"]
    for do, status, plan in (("past_due", "past_due", PLAN), ("recover", "active", PLAN), ("pause", "paused", PLAN), ("resume", "active", PLAN),
                             ("cancel", "active", "enterprise")):
        stack.sandbox.paddle_do("subscriptions", ident, do=do)
        reaches(status, plan)
    stack.sandbox.idle()
    stack.sql("update webhook_events set try_at = now() where state = 'waiting'")
    stack.pump()
    told = stack.sandbox.paddle()["notifications"]
    assert set(hooks.states()) <= {"applied", "ignored", "kept"} and len(hooks.states()) == sum(told.values()), told
    assert stack.count("subscriptions", "origin = 'paddle'") == 1
    assert stack.count("invoices", "organization_id = %s and status = 'paid'", alice.organization) >= 1


# ---- whose it is -----------------------------------------------------------------


def test_any_of_several_signatures_is_enough_and_nothing_less(stack, hooks):
    body, secret = json.dumps({"event_id": "evt_1", "event_type": "address.created"}).encode(), stack.secrets["paddle"]
    good = paddle_signature(secret, body)["Paddle-Signature"]
    stamp, signed = good.split(";")
    for wrong in ("", good.upper(), good.replace(";", ","), f"{stamp}; {signed}", signed, stamp, good[:-1], f"{stamp};h2={signed[3:]}",
                  f"ts={int(stamp[3:]) + 1};{signed}", f"{stamp};h1=" + mac(secret, f"{stamp[3:]}.".encode() + body).hex()):
        problem(hooks.money("paddle", body, {"Paddle-Signature": wrong}), 401, "signature_invalid")
    for headers in ({}, paddle_signature("wrong", body), paddle_signature(secret, body + b" "), {"Stripe-Signature": good},
                    paddle_signature(secret, body, time.time() - 330), paddle_signature(secret, body, time.time() + 330)):
        problem(hooks.money("paddle", body, headers), 401, "signature_invalid")
    assert stack.count("webhook_events") == 0
    for n, header in enumerate((good, f"{stamp};h1={'0' * 64};{signed}", f"{stamp};{signed};h1={'0' * 64}",
                                paddle_signature(["other", secret], body)["Paddle-Signature"])):
        assert taken(hooks, body, {"Paddle-Signature": header}) == "kept", n


def test_how_far_off_a_time_may_be_is_a_setting(stack, hooks):
    body = b'{"event_id":"evt_1","event_type":"address.created"}'
    with stack.other_settings("paddle-webhook", HOOKSWITCH_PADDLE_TOLERANCE_SECONDS=5):
        problem(hooks.money("paddle", body, paddle_signature(stack.secrets["paddle"], body, time.time() - 60)), 401, "signature_invalid")
    with stack.other_settings("paddle-webhook", HOOKSWITCH_PADDLE_TOLERANCE_SECONDS=3600):
        assert taken(hooks, body, paddle_signature(stack.secrets["paddle"], body, time.time() - 900)) == "kept"


def test_while_a_secret_is_rotated_both_are_good(stack, hooks):
    with stack.other_settings("paddle-webhook", PADDLE_WEBHOOK_SECRET=f"pdl_ntfset_new,{stack.secrets['paddle']}"):
        for n, secret in enumerate((stack.secrets["paddle"], "pdl_ntfset_new")):
            body = json.dumps({"event_id": f"evt_{n}", "event_type": "address.created"}).encode()
            assert taken(hooks, body, paddle_signature(secret, body)) == "kept"


# ---- odd bodies --------------------------------------------------------------------


def test_odd_bodies_are_refused_or_kept_and_never_a_fault_of_ours(stack, hooks, alice):
    for body in (b"", b"{", b"\xff", json.dumps(recorded("subscription.activated")).encode()[:-1]):
        problem(hooks.money("paddle", body), 400, "bad_json")
    problem(hooks.money("paddle", b'{"x":"' + b"x" * 2 * 1024 * 1024 + b'"}'), 413, "too_large")
    assert stack.count("webhook_events") == 0
    no_time, no_sum = recorded("subscription.activated", alice), recorded("transaction.completed", alice)
    del no_time["occurred_at"]
    no_sum["data"]["details"]["totals"]["total"] = "12.50"
    for body in (b"{}", b"[]", b'{"event_id":"evt_1"}', b'{"event_id":7,"event_type":"x"}', b"[" * 3000 + b"]" * 3000, no_time, no_sum,
                 recorded("subscription.activated", alice, id="../x"), recorded("subscription.activated", alice, status=None)):
        assert taken(hooks, body) == "unknown"
    odd = json.dumps(recorded("subscription.activated", alice, items=[{"price": {"id": "\u0000"}}, 7, None, {"quantity": 10 ** 40}],
                              current_billing_period={"starts_at": "x", "ends_at": 7}, scheduled_change="x", currency_code="\ud800"))
    assert taken(hooks, odd.encode()) == "applied"
    assert current(stack, alice).plan is None, "no price that we know: no plan"


@pytest.mark.parametrize("who", ["pump", "operator"])
def test_an_effect_that_fails_is_kept_and_tried_again(stack, hooks, alice, who):
    stack.sql("create function broken() returns trigger language plpgsql as $$ begin raise exception 'the disk of money is full'; end $$")
    stack.sql("create trigger zz_broken before insert on subscriptions for each row when (new.origin = 'paddle') execute function broken()")
    try:
        assert taken(hooks, recorded("subscription.activated", alice)) == "failed"
    finally:
        stack.sql("drop function broken() cascade")
    assert current(stack, alice).origin == "manual"
    if who == "pump":
        stack.sql("update webhook_events set try_at = now()")
        stack.pump()
    else:
        olga = operator(stack)
        failed, = olga.get(f"{ADMIN}/queue/webhooks")["data"]
        assert failed["organization_id"] is None and "disk of money" in failed["error"]
        assert olga.post(f"{ADMIN}/queue/webhooks/{failed['id']}/apply")["state"] == "applied"
    assert hooks.states() == ["applied"] and current(stack, alice).plan == PLAN


def test_without_a_database_paddle_is_told_to_come_again(stack, hooks):
    stack.start_program("paddle-webhook", env={"DATABASE_URL": "postgresql:///none?host=/none"})
    answer = hooks.money("paddle", b'{"event_id":"evt_1","event_type":"x"}')
    assert answer.status_code in (500, 503) and int(answer.headers["Retry-After"]) >= 1
    stack.start_program("paddle-webhook")


def test_the_same_through_plain_cgi(cgi_stack):
    hooks, alice = Hooks(cgi_stack), cgi_stack.user("alice")
    assert taken(hooks, recorded("subscription.activated", alice)) == "applied"
    assert current(cgi_stack, alice).origin == "paddle"
    problem(hooks.money("paddle", b"{}", {}), 401, "signature_invalid")
