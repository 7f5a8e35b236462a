"""Money under operators' hands: plans, who has one by hand, the books; and what /metrics tells of it."""

import pytest
from stack_client import problem
from stack_operators import ADMIN, difference, operator
from stack_process import at_once

PLANS = f"{ADMIN}/plans"
GOLD = {"name": "Gold", "price_cents": 9900, "currency": "eur", "tier": "gold", "rank": 25, "features": ["all of it"], "call_limit": 2, "minutes_limit": 30}


@pytest.fixture
def olga(stack):
    """An operator."""
    return operator(stack)


def subscription(organization):
    """Where an organization's subscription is looked after."""
    return f"{ADMIN}/organizations/{organization}/subscription"


def metric(stack, name):
    """The samples of a metric, by their labels."""
    lines = [line.rsplit(" ", 1) for line in stack.anybody().ask("GET", "/metrics").text.splitlines() if line.startswith(f"hookswitch_{name}")]
    return {labels.removeprefix(f"hookswitch_{name}"): float(value) for labels, value in lines}


# ---- plans ------------------------------------------------------------------------------


def test_a_plan_is_made_changed_and_taken_off_sale(stack, olga):
    keyed = {"Idempotency-Key": "gold"}
    made = olga.post(PLANS, GOLD, expect=201, headers=keyed)
    assert olga.post(PLANS, GOLD, expect=201, headers=keyed) == made, "asked for twice it is one"
    assert {**made, **GOLD} == made and (made["interval"], made["limit_mode"], made["on_sale"], made["is_default"]) == ("monthly", "hard", True, False)
    path = f"{PLANS}/{made['id']}"
    problem(olga.ask("POST", PLANS, GOLD), 409, "plan_name_taken")
    tag = olga.ask("GET", path).headers["ETag"]
    changed = olga.expect("PATCH", path, {"price_cents": 9950, "minutes_limit": None, "on_sale": False}, headers={"If-Match": tag})
    assert (changed["price_cents"], changed["minutes_limit"], changed["on_sale"]) == (9950, None, False)
    problem(olga.ask("PATCH", path, {"price_cents": 1}, headers={"If-Match": tag}), 412, "precondition_failed")
    problem(olga.ask("PATCH", path, {"currency": "€€€"}), 422, "currency_invalid")
    problem(olga.ask("PATCH", path, {"is_default": True}), 409, "plan_default")
    for bad in ({"price_cents": -1}, {"price_cents": 1.5}, {"call_limit": -1}, {"interval": "weekly"}, {"limit_mode": "x"},
                {"increment_seconds": 0}, {"features": [1]}, {"trial_days": 731}, {"x": 1}):
        problem(olga.ask("PATCH", path, bad), 400, "bad_fields")
    assert olga.expect("PATCH", path, {"price_cents": None, "overage_cents": 0.00001}) | {"updated_at": None} == changed | {"updated_at": None}, "nothing"
    assert stack.value("select price from subscription_plans where name = 'Gold'") == 99.5
    assert made["id"] in [p["id"] for p in olga.get(PLANS)["data"]]
    log = [e for e in olga.get(f"{ADMIN}/audit-log")["data"] if e["target_id"] == made["id"]]
    assert [e["action"] for e in log][0] == "plan.updated" and log[-1]["action"] == "plan.created"
    assert log[0]["details"]["changed"]["on_sale"] == {"from": True, "to": False} and log[0]["actor_id"] == olga.id


def test_of_two_who_make_the_default_plan_there_is_one(stack, olga):
    plans = [olga.post(PLANS, {"name": f"Nothing {n}", "price_cents": 0}, expect=201)["id"] for n in range(2)]
    answers = at_once(*[lambda p=p: olga.with_headers().ask("PATCH", f"{PLANS}/{p}", {"is_default": True}) for p in plans])
    assert {a.status_code for a in answers} == {200}
    assert stack.value("select count(*) from subscription_plans where is_default") == 1
    new = stack.user("newcomer")
    assert olga.get(subscription(new.organization))["subscription"]["plan"]["name"].startswith("Nothing")


# ---- by hand -------------------------------------------------------------------------------


def test_a_plan_by_hand_holds_calls_back_and_its_end_lets_them_go(stack, olga, alice):
    stack.provider("vapi")
    template, path = stack.template(), subscription(alice.organization)
    order = {"template_id": template, "scheduled_time": "2099-01-01T00:00:00Z", "expires_at": "2099-01-02T00:00:00Z"}
    gold = olga.post(PLANS, GOLD, expect=201)
    given = olga.expect("PUT", path, {"plan_id": gold["id"], "ends_at": "2099-01-01T00:00:00Z"})
    assert given["subscription"]["plan"] == {"id": gold["id"], "name": "Gold", "tier": "gold"} and given["usage"]["calls"] == 0
    assert olga.expect("PUT", path, {"plan_id": gold["id"], "ends_at": "2099-01-01T00:00:00Z"}) == given, "twice is once"
    for _ in range(2):
        alice.post("/api/v1/calls", {**order, "recipient_number": stack.number()}, expect=201)
    problem(alice.ask("POST", "/api/v1/calls", {**order, "recipient_number": stack.number()}), 402, "plan_calls_used_up")
    ended = olga.expect("DELETE", path, None, 200)
    assert ended["subscription"]["plan"]["name"] == "enterprise" and ended["before"][0]["plan"]["name"] == "Gold"
    alice.post("/api/v1/calls", {**order, "recipient_number": stack.number()}, expect=201)
    actions = [e["action"] for e in alice.get(f"/api/v1/organizations/{alice.organization}/audit-log")["data"]]
    assert actions[:2] == ["subscription.ended", "subscription.given"]
    types = [e["event_type"] for e in olga.get(f"{ADMIN}/billing/events?organization_id={alice.organization}")["data"]]
    assert types == ["subscription_canceled", "subscription_created"]
    problem(olga.ask("PUT", path, {"plan_id": gold["id"], "ends_at": "2020-01-01T00:00:00Z"}), 422, "expires_in_past")


def test_of_two_who_give_a_plan_at_once_one_is_what_it_has(stack, olga, alice):
    plans = [stack.value("select id from subscription_plans where name = %s", name) for name in ("basic", "business")]
    answers = at_once(*[lambda p=p: olga.with_headers().ask("PUT", subscription(alice.organization), {"plan_id": str(p)}) for p in plans * 3])
    assert {a.status_code for a in answers} == {200}
    assert stack.value("select count(*) from subscriptions where organization_id = %s and current", alice.organization) == 1
    live = stack.sql("select status from subscriptions where organization_id = %s and status = 'active'", alice.organization)
    assert len(live) == 1, "the others are over"


# ---- the books ---------------------------------------------------------------------------------


def test_differences_are_shown_read_again_and_counted(stack, olga, alice):
    first, second = difference(stack, alice.organization), difference(stack, None, kind="stranger", external_id="sub_x")
    assert {d["id"] for d in olga.get(f"{ADMIN}/billing/differences")["data"]} == {first, second}
    assert olga.get(f"{ADMIN}/billing/differences?kind=stranger")["data"][0]["external_id"] == "sub_x"
    assert olga.post(f"{ADMIN}/billing/differences/{first}/reread")["resolved_at"] is None
    problem(olga.ask("POST", f"{ADMIN}/billing/differences/{second}/reread"), 409, "difference_not_readable")
    assert stack.value("select input ->> 'kind' from workflow_runs where workflow = 'stripe-sync'") == "invoice"
    found = metric(stack, "billing_differences")
    assert (found['{kind="stranger"}'], found['{kind="invoice_status"}'], found['{kind="usage_meter"}']) == (1, 1, 0)
    stack.sql("update billing_differences set resolved_at = now()")
    assert set(metric(stack, "billing_differences").values()) == {0}
    assert {d["id"] for d in olga.get(f"{ADMIN}/billing/differences?state=resolved")["data"]} == {first, second}


def test_a_reconciliation_is_begun_once(stack, olga):
    path = f"{ADMIN}/billing/reconcile"
    answers = at_once(*[lambda: olga.with_headers().ask("POST", path)] * 4)
    assert {a.status_code for a in answers} == {202} and len({a.json()["run_id"] for a in answers}) == 1
    assert stack.count("workflow_runs", "workflow = 'reconcile'") == 1


def test_metrics_tell_of_subscriptions_standings_and_reports(stack, alice):
    ours = '{plan="enterprise",origin="manual",status="active"}'
    found = metric(stack, "subscriptions")
    assert sum(found.values()) == stack.count("subscriptions", "current") and ours in found, found
    stack.sql("update billing_accounts set standing = 'read_only' where organization_id = %s", alice.organization)
    assert metric(stack, "billing_standings") == {'{standing="past_due"}': 0, '{standing="read_only"}': 1, '{standing="suspended"}': 0}
    stack.sql("""insert into usage_reports (identifier, organization_id, entry_id, call_id, quantity, occurred_at, state, created_at)
                 select s, %s, gen_random_uuid(), gen_random_uuid(), 60, now(), s, now() - interval '1 hour' from unnest(array['pending', 'refused']) s""",
              alice.organization)
    assert metric(stack, "usage_reports") == {'{state="pending"}': 1, '{state="refused"}': 1}
    assert 3600 <= metric(stack, "usage_report_age_seconds")[""] < 7200
    assert metric(stack, "usage_uncounted")[""] == 0
