"""Billing: what is on sale, what one has and used, invoices and events; changing the plan, ending it, taking that back, at the sandbox's Stripe."""

import pytest
from psycopg.types.json import Jsonb

from stack_billing import ROOT, forget_plans, plan
from stack_client import problem

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def plans(stack):
    """As a fresh installation has them."""
    forget_plans(stack)


def used(stack, who, seconds, at="now", overage=0, **columns):
    """A call that is over, with its ledger."""
    call = stack.insert("calls", organization_id=who.organization, to_number=stack.number(), status="completed", finished_at=at, ended_at=at, **columns)
    made = stack.call(call).created_at
    for kind, quantity, billable in (("calls", 1, 1), ("seconds", seconds, -(-seconds // 60) * 60)):
        stack.insert("usage_entries", organization_id=who.organization, call_id=call, call_created_at=made, kind=kind, quantity=quantity,
                     billable=billable, occurred_at=at, billed_at=at, overage=overage if kind == "seconds" else 0)
    return call


def on_plan(stack, who, name, **columns):
    """By hand."""
    stack.sql("update subscriptions set current = false where organization_id = %s", who.organization)
    return stack.insert("subscriptions", organization_id=who.organization, plan_id=plan(stack, name), **columns)


# ---- what one sees ---------------------------------------------------------------------


def test_plans_on_sale_cost_whole_numbers_of_the_smallest_unit(stack, alice):
    on_plan(stack, alice, "free")
    found = {p["name"]: p for p in alice.get(ROOT + "/plans")["data"]}
    assert list(found) == ["free", "basic", "business", "enterprise"]
    assert [(p["amount"], p["currency"], p["current"]) for p in found.values()] == [
        (0, "usd", True), (2900, "usd", False), (9900, "usd", False), (49900, "usd", False)]
    assert (found["basic"]["overage_amount"], found["basic"]["minutes_limit"], found["enterprise"]["call_limit"]) == (6, 1000, None)
    stack.sql("update subscription_plans set on_sale = false where name in ('free', 'basic')")
    assert [p["name"] for p in alice.get(ROOT + "/plans")["data"]] == ["free", "business", "enterprise"], "who has one off sale still sees it"
    stack.sql("update subscription_plans set currency = 'jpy', price = 2900 where name = 'basic'")
    try:
        stack.sql("update subscription_plans set on_sale = true where name = 'basic'")
        assert [p["amount"] for p in alice.get(ROOT + "/plans")["data"] if p["currency"] == "jpy"] == [2900], "a yen has no smaller unit"
    finally:
        stack.sql("update subscription_plans set currency = 'usd' where name = 'basic'")


def test_the_overview_says_what_was_used_and_what_is_left(stack, alice):
    on_plan(stack, alice, "free")
    for seconds in (61, 30, 0):
        used(stack, alice, seconds)
    stack.provider("vapi")
    stack.schedule(2, alice, stack.template(("vapi",)), scheduled_time="2099-01-01T00:00:00Z")
    found = alice.get(ROOT)
    assert (found["plan"]["name"], found["may_call"], found["standing"], found["upcoming"]) == ("free", True, "good", None)
    assert found["subscription"]["origin"] == "manual" and found["subscription"]["next_plan"] is None
    usage = found["usage"]
    assert (usage["calls"], usage["calls_waiting"], usage["call_limit"], usage["calls_left"]) == (3, 2, 25, 20)
    assert (usage["seconds"], usage["billable_seconds"], usage["minutes"], usage["minutes_left"]) == (91, 180, 3, 57)
    on_plan(stack, alice, "enterprise")
    usage = alice.get(ROOT)["usage"]
    assert (usage["call_limit"], usage["calls_left"], usage["minutes_left"]) == (None, None, None)


def test_usage_by_day_and_by_kind_and_the_calls_behind_it(stack, alice, bob):
    on_plan(stack, alice, "free")
    first, second, third = (used(stack, alice, s, at, o) for s, at, o in (
        (61, "2026-03-01T23:59:59Z", 0), (10, "2026-03-02T00:00:00Z", 30), (59, "2026-03-02T12:00:00Z", 60)))
    used(stack, alice, 5, "2026-04-01T00:00:00Z")
    used(stack, bob, 500, "2026-03-02T12:00:00Z")
    stretch = "from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z"
    found = alice.get(f"{ROOT}/usage?{stretch}")
    zero = {"carried_calls": 0}
    assert found["groups"] == [{"key": "2026-03-01", "calls": 1, "seconds": 61, "billable_seconds": 120, "overage_seconds": 0, **zero},
                               {"key": "2026-03-02", "calls": 2, "seconds": 69, "billable_seconds": 120, "overage_seconds": 90, **zero}]
    assert found["total"] == {"calls": 3, "seconds": 130, "billable_seconds": 240, "overage_seconds": 90, **zero}
    kinds = {g["key"]: g for g in alice.get(f"{ROOT}/usage?{stretch}&group_by=kind")["groups"]}
    assert (kinds["calls"]["calls"], kinds["calls"]["seconds"], kinds["seconds"]["seconds"]) == (3, 0, 130)
    path = f"{ROOT}/usage/calls?{stretch}"
    page = alice.get(path + "&limit=2")
    rest = alice.get(f"{path}&limit=2&after={page['next_cursor']}")
    rows = page["data"] + rest["data"]
    assert [r["call_id"] for r in rows] == [third, second, first] and rest["next_cursor"] is None
    assert sum(r["seconds"] for r in rows) == found["total"]["seconds"] and sum(r["overage_seconds"] for r in rows) == 90
    assert [r["call_id"] for r in alice.get(path + "&overage=true")["data"]] == [third, second]
    assert [r["call_id"] for r in alice.get(path + "&overage=false")["data"]] == [first]
    for wrong in ("from=2026-03-02T00:00:00Z&to=2026-03-02T00:00:00Z", "from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z",
                  "from=2024-03-02T00:00:00Z&to=2026-03-01T00:00:00Z"):
        for route in ("usage", "usage/calls"):
            problem(alice.ask("GET", f"{ROOT}/{route}?{wrong}"), 422, "period_invalid")


def test_without_times_usage_is_that_of_the_present_period(stack, alice):
    stack.sql("update subscriptions set period_anchor = now() - interval '40 days' where organization_id = %s", alice.organization)
    used(stack, alice, 60)
    used(stack, alice, 60, "2020-01-01T00:00:00Z")
    found, overview = alice.get(ROOT + "/usage"), alice.get(ROOT)
    assert (found["from"], found["to"]) == (overview["usage"]["period_start"], overview["usage"]["period_end"])
    assert found["total"]["calls"] == overview["usage"]["calls"] == 1 and len(alice.get(ROOT + "/usage/calls")["data"]) == 1


def invoice(stack, who, name, **columns):
    """An invoice as it was told."""
    return stack.insert("invoices", organization_id=who.organization, provider="stripe", external_id="in_" + name, **{
        "status": "paid", "currency": "usd", "total_cents": 2900, "amount_paid_cents": 2900, "issued_at": "2026-03-01", **columns})


def test_invoices_with_their_lines(stack, alice, bob):
    line = {"id": "il_1", "description": "Basic", "amount": -1450, "quantity": 1, "price": "price_1", "proration": True,
            "period_start": 1772323200, "period_end": 1775001600}
    old, new = invoice(stack, alice, "a", number="A-1", lines=Jsonb([line, {"id": "il_2", "amount": 4350}]), tax_cents=0), invoice(
        stack, alice, "b", status="open", issued_at="2026-04-01")
    foreign = invoice(stack, bob, "c")
    assert [i["id"] for i in alice.get(ROOT + "/invoices")["data"]] == [new, old]
    assert [i["id"] for i in alice.get(ROOT + "/invoices?status=paid")["data"]] == [old]
    first = alice.get(ROOT + "/invoices?limit=1")
    assert [i["id"] for i in alice.get(f"{ROOT}/invoices?limit=1&after={first['next_cursor']}")["data"]] == [old]
    found = alice.get(f"{ROOT}/invoices/{old}")
    assert (found["number"], found["total"], found["tax"], found["amount_paid"], found["currency"]) == ("A-1", 2900, 0, 2900, "usd")
    assert found["lines"] == [{"description": "Basic", "amount": -1450, "quantity": 1, "proration": True, "period_start": "2026-03-01T00:00:00.000Z",
                               "period_end": "2026-04-01T00:00:00.000Z"},
                              {"description": None, "amount": 4350, "quantity": None, "proration": False, "period_start": None, "period_end": None}]
    for ident in (foreign, NOBODY):
        problem(alice.ask("GET", f"{ROOT}/invoices/{ident}"), 404, "invoice_not_found")


def test_events_say_what_happened_with_the_money(stack, alice, bob):
    for who, key, kind, amount in ((alice, "a", "invoice_paid", 2900), (alice, "b", "plan_changed", None), (bob, "c", "invoice_paid", 1)):
        stack.sql("select billing_note(%s, 'stripe', %s, %s, %s, %s, 'in_1', 'sub_1', %s)", who.organization, key, kind, amount, amount and "usd",
                  '{"x": 1}')
    found = alice.get(ROOT + "/events")["data"]
    assert [(e["type"], e["amount"], e["currency"], e["details"]) for e in found] == [("plan_changed", None, None, {"x": 1}), ("invoice_paid", 2900, "usd", {"x": 1})]
    assert [e["type"] for e in alice.get(ROOT + "/events?type=invoice_paid")["data"]] == ["invoice_paid"]


def test_who_may_see_and_change_what(stack, alice):
    stack.sql("update billing_accounts set payment_method = %s where organization_id = %s", '{"type": "card", "last4": "4242"}', alice.organization)
    assert alice.get(ROOT)["payment_method"] == {"type": "card", "last4": "4242"}
    seen = {}
    for role in ("viewer", "member", "admin"):
        who = stack.user("another " + role).with_headers(X_Organization_Id=alice.organization)
        stack.sql("insert into organization_members (organization_id, user_id, role) values (%s, %s, %s)", alice.organization, who.id, role)
        seen[role] = [who.ask("GET", ROOT + path).status_code for path in ("", "/plans", "/usage", "/usage/calls", "/invoices", "/events")]
        seen[role].append(who.ask("POST", ROOT + "/cancel", {}).status_code)
        if role == "member":
            assert who.get(ROOT)["payment_method"] is None, "with what is paid is for those who look after the bills"
    assert seen == {"viewer": [403] * 7, "member": [200] * 4 + [403] * 3, "admin": [200] * 6 + [409]}
    key = stack.api_key(alice, scopes=["usage:read"])
    assert key.get(ROOT)["payment_method"] is None
    problem(key.ask("GET", ROOT + "/invoices"), 403, "scope_missing")
    assert stack.api_key(alice, scopes=["usage:read", "billing:read"]).get(ROOT)["payment_method"]["last4"] == "4242"
