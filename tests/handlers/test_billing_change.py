"""Another plan, the end of a subscription and taking either back: at the sandbox's Stripe, to the cent, and nothing half done."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from stack import Stack
from stack_billing import ROOT, charged, checkout, forget_plans, plan, settled, stripe, subscribe, tells, working
from stack_client import problem
from stack_process import wait_until

DAY = 86400


@pytest.fixture(scope="module")
def stack_of_file(tmp_path_factory):
    """With an application that people come back to."""
    with Stack(tmp_path_factory.mktemp("stack"), settings={"FRONTEND_URL": "https://app.example.com"}) as running:
        yield running


@pytest.fixture(autouse=True)
def plans(stack):
    """As a fresh installation has them."""
    forget_plans(stack)


@pytest.fixture
def sub(stack, alice):
    """alice has the business plan and paid for it; Stripe's id of the subscription."""
    tells(stack)
    return subscribe(stack, alice, plan(stack, "business"))


def there(stack, sub):
    """What Stripe has: status, whether it ends, amounts of its prices."""
    found = stripe(stack, "subscriptions/" + sub)
    return found["status"], found["cancel_at_period_end"], [i["price"]["unit_amount_decimal"] for i in found["items"]["data"]]


def here(who):
    """What somebody sees: plan, whether it ends, the next plan."""
    found = who.get(ROOT)
    return found["plan"]["name"], found["subscription"]["cancel_at_period_end"], (found["subscription"]["next_plan"] or {}).get("name")


def bills(stack, sub):
    """How many invoices there are."""
    return len(stripe(stack, "invoices", subscription=sub, limit=100)["data"])


# ---- another plan ------------------------------------------------------------------------


def test_a_greater_plan_is_paid_at_once_to_the_cent_of_the_preview(stack, alice):
    tells(stack)
    stack.sandbox.stripe_clock(advance=-10 * DAY)
    sub = subscribe(stack, alice, plan(stack, "business"))
    stack.sandbox.stripe_clock(advance=10 * DAY)
    stack.sql("update subscription_plans set overage_cents = 3 where name = 'enterprise'")
    wanted, before = plan(stack, "enterprise"), there(stack, sub)
    start, end = (stripe(stack, "subscriptions/" + sub)["items"]["data"][0]["current_period_" + what] for what in ("start", "end"))
    with working(stack):
        seen = alice.post(ROOT + "/plan/preview", {"plan_id": wanted})
        assert (seen["kind"], seen["next_amount"], charged(stack, alice), bills(stack, sub)) == ("upgrade", 49900, [9900], 1)
        done = alice.post(ROOT + "/plan", {"plan_id": wanted, "preview_at": seen["preview_at"]})
        settled(stack)
    assert done["plan"]["name"] == "enterprise" and here(alice) == ("enterprise", False, None)
    assert charged(stack, alice) == [9900, seen["amount_due"]] and sum(line["amount"] for line in seen["lines"]) == seen["amount_due"]
    assert abs(seen["amount_due"] - 40000 * 20 * DAY / (end - start)) < 40000 * DAY / (end - start), "about two thirds of the difference"
    assert there(stack, sub) == ("active", False, ["49900", before[2][1]]), "further seconds keep their price until the period ends"
    assert sorted(i["total"] for i in alice.get(ROOT + "/invoices")["data"]) == sorted([9900, seen["amount_due"]])
    assert "plan_changed" in [e["type"] for e in alice.get(ROOT + "/events")["data"]]


def test_a_greater_plan_that_cannot_be_paid_changes_nothing(stack, alice, sub):
    stack.sandbox.stripe_do("customers", stack.value("select stripe_customer_id from organizations where id = %s", alice.organization), card="declines")
    before = there(stack, sub), bills(stack, sub)
    for who in (alice, alice.with_headers(Idempotency_Key="k")):
        problem(who.ask("POST", ROOT + "/plan", {"plan_id": plan(stack, "enterprise")}), 402, "payment_failed")
    assert (there(stack, sub), bills(stack, sub)) == before and here(alice) == ("business", False, None) and charged(stack, alice) == [9900]
    stack.sandbox.stripe_do("customers", stack.value("select stripe_customer_id from organizations where id = %s", alice.organization), card="good")
    alice.with_headers(Idempotency_Key="k").post(ROOT + "/plan", {"plan_id": plan(stack, "enterprise")})
    assert here(alice) == ("enterprise", False, None)


def test_a_smaller_plan_waits_for_the_end_of_the_period(stack, alice, sub):
    seen = alice.post(ROOT + "/plan/preview", {"plan_id": plan(stack, "basic")})
    period_end = alice.get(ROOT)["subscription"]["period_end"]
    assert (seen["kind"], seen["amount_due"], seen["lines"], seen["next_amount"]) == ("downgrade", 0, [], 2900)
    assert seen["effective_at"] == seen["next_at"] == period_end
    with working(stack):
        alice.post(ROOT + "/plan", {"plan_id": plan(stack, "basic")})
        settled(stack)
    found = alice.get(ROOT)
    assert here(alice) == ("business", False, "basic") and found["usage"]["call_limit"] == 2500, "what was paid for holds"
    assert found["upcoming"]["amount"] == 2900 and charged(stack, alice) == [9900] and bills(stack, sub) == 1
    with working(stack):
        stack.sandbox.stripe_clock(advance=32 * DAY)
        settled(stack)
    renewal = stripe(stack, "invoices", subscription=sub, limit=1)["data"][0]
    assert renewal["billing_reason"] == "subscription_cycle" and renewal["total"] == 2900, "the next period is the smaller plan's"
    with working(stack):
        stripe(stack, "subscriptions/" + sub, "POST", metadata__hold_until="1")
        settled(stack)
    assert here(alice) == ("basic", False, None) and alice.get(ROOT)["usage"]["call_limit"] == 500


def test_a_change_that_waits_is_taken_back(stack, alice, sub):
    before = stripe(stack, "subscriptions/" + sub)["items"]["data"][0]["price"]["id"]
    alice.post(ROOT + "/plan", {"plan_id": plan(stack, "basic")})
    problem(alice.ask("POST", ROOT + "/plan", {"plan_id": plan(stack, "enterprise")}), 409, "plan_change_waiting")
    assert here(alice) == ("business", False, "basic")
    stack.sql("update subscription_plans set price = 120 where name = 'business'")
    assert alice.post(ROOT + "/plan/preview", {"plan_id": plan(stack, "business")})["kind"] == "back"
    alice.post(ROOT + "/plan", {"plan_id": plan(stack, "business")})
    assert here(alice) == ("business", False, None) and charged(stack, alice) == [9900] and bills(stack, sub) == 1
    found = stripe(stack, "subscriptions/" + sub)
    assert found["items"]["data"][0]["price"]["id"] == before, "at the price that he paid"
    assert not [name for name in found["metadata"] if name.startswith("hold")], found["metadata"]
    alice.post(ROOT + "/plan", {"plan_id": plan(stack, "enterprise")})
    assert here(alice) == ("enterprise", False, None)


def test_the_plan_that_costs_nothing_follows_the_end_of_the_paid_one(stack, alice, sub):
    alice.post(ROOT + "/plan", {"plan_id": plan(stack, "free")})
    assert here(alice) == ("business", True, "free") and there(stack, sub)[1]
    alice.post(ROOT + "/plan", {"plan_id": plan(stack, "business")})
    assert here(alice) == ("business", False, None) and not there(stack, sub)[1]


def test_the_present_plan_is_no_change(stack, alice, sub):
    before = len(stack.sandbox.stripe_requests(method="POST"))
    assert alice.post(ROOT + "/plan/preview", {"plan_id": plan(stack, "business")})["kind"] == "none"
    assert alice.post(ROOT + "/plan", {"plan_id": plan(stack, "business")})["plan"]["name"] == "business"
    assert len(stack.sandbox.stripe_requests(method="POST")) == before and bills(stack, sub) == 1


def test_a_yearly_plan_begins_a_year_and_is_left_at_its_end_only(stack, alice, sub):
    yearly = stack.insert("subscription_plans", name="test yearly", tier="enterprise", price=4990, rank=30, interval="yearly")
    seen = alice.post(ROOT + "/plan/preview", {"plan_id": yearly})
    assert (seen["kind"], seen["next_amount"]) == ("upgrade", 499000) and 489000 <= seen["amount_due"] <= 499000, seen
    alice.post(ROOT + "/plan", {"plan_id": yearly, "preview_at": seen["preview_at"]})
    assert charged(stack, alice) == [9900, seen["amount_due"]]
    # The year begins with the change itself, a moment after it was looked at.
    assert stack.value("select %s::timestamptz - %s::timestamptz between interval '0' and interval '5 minutes'",
                       alice.get(ROOT)["subscription"]["period_end"], seen["next_at"])
    problem(alice.ask("POST", ROOT + "/plan", {"plan_id": plan(stack, "basic")}), 409, "plan_interval_differs")


def test_what_cannot_be_taken_is_refused(stack, alice, bob, sub):
    for wanted in ("00000000-0000-4000-8000-000000000000", stack.insert("subscription_plans", name="test old", price=1, on_sale=False)):
        problem(alice.ask("POST", ROOT + "/plan", {"plan_id": wanted}), 422, "plan_not_found")
    for at in ("2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"):
        problem(alice.ask("POST", ROOT + "/plan", {"plan_id": plan(stack, "enterprise"), "preview_at": at}), 422, "preview_too_old")
    for path in ("/plan", "/plan/preview"):
        problem(bob.ask("POST", ROOT + path, {"plan_id": plan(stack, "basic")}), 409, "checkout_needed")
    stack.sql("update subscriptions set origin = 'paddle', external_id = 'sub_p' where organization_id = %s and current", bob.organization)
    for path, body in (("/plan", {"plan_id": plan(stack, "basic")}), ("/cancel", {}), ("/resume", {})):
        problem(bob.ask("POST", ROOT + path, body), 409, "subscription_elsewhere")
    assert here(alice) == ("business", False, None)


# ---- the end ---------------------------------------------------------------------------------


def test_a_subscription_ends_with_its_period_unless_that_is_taken_back(stack, alice, sub):
    alice.post(ROOT + "/cancel", {"reason": "too dear"})
    assert here(alice) == ("business", True, "free") and alice.get(ROOT)["upcoming"]["amount"] == 0
    assert stripe(stack, "subscriptions/" + sub)["cancellation_details"]["comment"] == "too dear"
    assert here(alice) == ("business", True, "free") and there(stack, sub)[:2] == ("active", True)
    alice.post(ROOT + "/cancel")
    assert alice.post(ROOT + "/resume")["subscription"]["cancel_at_period_end"] is False
    assert here(alice) == ("business", False, None) and there(stack, sub)[:2] == ("active", False)
    assert alice.post(ROOT + "/resume")["plan"]["name"] == "business", "there was nothing to take back"


def test_a_subscription_that_ends_at_once_is_over(stack, alice, sub):
    with working(stack):
        found = alice.post(ROOT + "/cancel", {"at_period_end": False})
        settled(stack)
    assert (found["plan"]["name"], found["subscription"]["origin"], there(stack, sub)[0]) == ("free", "manual", "canceled")
    problem(alice.ask("POST", ROOT + "/cancel", {}), 409, "subscription_free")
    assert alice.post(ROOT + "/resume")["subscription"]["origin"] == "manual"
    assert subscribe(stack, alice, plan(stack, "basic")) != sub and here(alice) == ("basic", False, None)


@pytest.mark.parametrize("path", ("/plan", "/resume", "/cancel"))
def test_what_ended_at_stripe_and_was_not_told_is_found(stack, alice, sub, path):
    stack.sandbox.settings(stripe_webhook_url=None)
    stripe(stack, "subscriptions/" + sub, "DELETE")
    assert here(alice)[0] == "business", "nobody has told"
    body = {"/plan": {"plan_id": plan(stack, "basic")}, "/resume": {}, "/cancel": {"at_period_end": False}}[path]
    answer = alice.with_headers(Idempotency_Key="once").ask("POST", ROOT + path, body)
    if path == "/cancel":
        assert answer.status_code == 200
    else:
        problem(answer, 409, "subscription_over")
    assert here(alice) == ("free", False, None), "from then on it is known"
    assert checkout(alice, plan(stack, "basic"))["url"]


def test_one_that_an_operator_gave_needs_nobody_at_stripe(stack, alice):
    stack.sql("update subscriptions set current = false where organization_id = %s", alice.organization)
    stack.insert("subscriptions", organization_id=alice.organization, plan_id=plan(stack, "business"))
    alice.post(ROOT + "/cancel")
    assert here(alice) == ("business", True, "free")
    alice.post(ROOT + "/resume")
    assert here(alice) == ("business", False, None)
    alice.post(ROOT + "/cancel", {"at_period_end": False})
    assert here(alice)[0] == "free" and stack.sandbox.stripe_requests() == []
    problem(alice.ask("POST", ROOT + "/cancel", {}), 409, "subscription_free")


def test_the_portal_is_the_customers_own(stack, alice, bob):
    urls = [who.post(ROOT + "/portal", {"return_url": "https://app.example.com/back"})["url"] for who in (alice, alice, bob)]
    assert len(set(urls)) == 3 and len(stripe(stack, "customers", limit=100)["data"]) == 2


# ---- whatever Stripe answers ------------------------------------------------------------------

CHANGES = {"upgrade": ("/plan", "enterprise", ("enterprise", False, None)), "downgrade": ("/plan", "basic", ("business", False, "basic")),
           "cancel": ("/cancel", None, ("business", True, "free")), "cancel now": ("/cancel", False, ("free", False, None))}
TROUBLE = {"500 and not done": {"status": 500}, "500 and done": {"status": 500, "accept": True}, "429": {"status": 429}, "lost and done": {"answer": "reset"},
           "lost and not done": {"answer": "reset", "accept": False}, "nonsense and done": {"answer": "html"}}


def body_of(stack, wanted):
    """The body of a change."""
    return {"plan_id": plan(stack, wanted)} if wanted else {} if wanted is None else {"at_period_end": False}


@pytest.mark.parametrize("trouble", TROUBLE)
@pytest.mark.parametrize("change", CHANGES)
def test_whatever_stripe_answers_the_same_key_completes_it(stack, alice, sub, change, trouble):
    path, wanted, end = CHANGES[change]
    keyed, before, body = alice.with_headers(Idempotency_Key="once"), here(alice), body_of(stack, wanted)
    stack.sandbox.settings(stripe_webhook_url=None)
    for n, operation in enumerate(("get", "delete" if change == "cancel now" else "update")):
        stack.sandbox.rule(TROUBLE[trouble], provider="stripe", type="subscriptions/{id}", operation=operation, times=1)
        problem(keyed.ask("POST", ROOT + path, body), 503, "unavailable")
        assert here(alice) == before and stack.sandbox.rules()[n]["fired"] == 1
    keyed.post(ROOT + path, body)
    assert here(alice) == end and keyed.post(ROOT + path, body)
    paid = charged(stack, alice)
    assert paid[0] == 9900 and len(paid) == (2 if change == "upgrade" else 1) and bills(stack, sub) <= 2, paid
    assert keyed.ask("POST", ROOT + path, body).headers["Idempotent-Replayed"] == "true" and charged(stack, alice) == paid


def test_a_hundred_wishes_for_a_greater_plan_are_paid_once(stack, alice, sub):
    wanted = plan(stack, "enterprise")
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: alice.with_headers(Idempotency_Key=f"k{n % 5}").ask("POST", ROOT + "/plan", {"plan_id": wanted}), range(30)))
    assert {a.status_code for a in answers} <= {200, 409, 503} and 200 in [a.status_code for a in answers]
    paid = charged(stack, alice)
    assert here(alice) == ("enterprise", False, None) and paid[0] == 9900 and len(paid) == 2 and 39900 <= paid[1] <= 40000, paid


def test_a_program_that_is_killed_in_between_has_charged_once(stack, alice, sub):
    keyed, body = alice.with_headers(Idempotency_Key="once"), {"plan_id": plan(stack, "enterprise")}
    for operation in ("get", "update"):
        with stack.sandbox.holding("after", provider="stripe", type="subscriptions/{id}", operation=operation), ThreadPoolExecutor(1) as pool:
            running = pool.submit(keyed.ask, "POST", ROOT + "/plan", body)
            wait_until(lambda: stack.sandbox.held() == 1, what="a request that is done and not answered")
            stack.kill_program("billing")
            assert running.result().status_code == 502
        stack.start_program("billing")
    keyed.post(ROOT + "/plan", body)
    assert here(alice) == ("enterprise", False, None) and len(charged(stack, alice)) == 2
