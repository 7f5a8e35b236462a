"""Checkout: a page at Stripe where somebody pays for a plan, made once, and nothing half done whatever Stripe answers."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from stack import Stack
from stack_billing import CHECKOUT, ROOT, charged, checkout, customer_of, forget_plans, pay, plan, session, settled, stripe, subscribe, tells, working
from stack_client import problem
from stack_process import wait_until
from test_status import metrics

APP = "https://app.example.com"


@pytest.fixture(scope="module")
def stack_of_file(tmp_path_factory):
    """With an application that people come back to."""
    with Stack(tmp_path_factory.mktemp("stack"), settings={"FRONTEND_URL": APP + "/start"}) as running:
        yield running


@pytest.fixture(autouse=True)
def plans(stack):
    """As a fresh installation has them; Stripe sends its events."""
    forget_plans(stack)
    tells(stack)


# ---- paying ----------------------------------------------------------------------------


def test_who_pays_has_the_plan_within_a_second_of_the_webhook(stack, alice):
    made = checkout(alice, plan(stack, "basic"))
    assert (made["status"], made["active"], made["payment_status"]) == ("open", False, None) and made["url"].startswith("http")
    assert alice.get(f"{CHECKOUT}/{made['id']}") == made
    with working(stack):
        began = time.monotonic()
        pay(stack, made)
        wait_until(lambda: alice.get(f"{CHECKOUT}/{made['id']}")["active"], what="an active subscription")
        print(f"active {time.monotonic() - began:.3f} s after he paid")
        settled(stack)
    done, overview = alice.get(f"{CHECKOUT}/{session(stack, made)}"), alice.get(ROOT)
    assert (done["id"], done["status"], done["payment_status"], done["url"]) == (made["id"], "complete", "paid", None)
    assert (overview["plan"]["name"], overview["subscription"]["origin"], overview["subscription"]["status"]) == ("basic", "stripe", "active")
    assert overview["upcoming"]["amount"] == 2900 and overview["payment_method"]["last4"] == "4242"
    assert charged(stack, alice) == [2900]
    bill, = alice.get(ROOT + "/invoices")["data"]
    assert (bill["total"], bill["amount_paid"], bill["currency"], bill["status"]) == (2900, 2900, "usd", "paid")
    assert "invoice_paid" in [e["type"] for e in alice.get(ROOT + "/events")["data"]]
    problem(alice.ask("POST", CHECKOUT, {"plan_id": plan(stack, "business")}), 409, "subscription_exists")


def test_what_is_made_at_stripe_says_whose_it_is_and_is_made_once(stack, alice, bob):
    basic = plan(stack, "basic")
    made = checkout(alice, basic)
    page, customer = stripe(stack, "checkout/sessions/" + session(stack, made)), stripe(stack, "customers/" + customer_of(stack, alice))
    assert customer["metadata"] == {"organization_id": alice.organization, "user_id": alice.id} and customer["email"] == "alice@example.com"
    assert page["customer"] == customer["id"] and page["client_reference_id"] == alice.organization and page["allow_promotion_codes"] is True
    assert page["metadata"] == {"organization_id": alice.organization, "plan_id": basic, "checkout_id": made["id"], "user_id": alice.id}
    assert page["success_url"] == APP + "/start/subscription/success?session_id={CHECKOUT_SESSION_ID}"
    assert page["cancel_url"] == APP + "/start/subscription/cancel"
    prices = [one["price"] for one in stripe(stack, f"checkout/sessions/{page['id']}/line_items")["data"]]
    assert [(p["unit_amount_decimal"], p["recurring"]["usage_type"], p["recurring"]["interval"]) for p in prices] == [
        ("2900", "licensed", "month"), ("0.1", "metered", "month")]
    assert {p.price_id: p.kind for p in stack.sql("select * from plan_prices")} == {prices[0]["id"]: "base", prices[1]["id"]: "overage"}
    assert stack.value("select stripe_price_id from subscription_plans where id = %s", basic) == prices[0]["id"]
    for who in (alice, bob):
        checkout(who, basic)
    assert things(stack) == {"customers": 2, "products": 2, "prices": 2, "billing/meters": 1, "checkout/sessions": 3}


def things(stack):
    """How many of each there are at Stripe."""
    return {path: len(stripe(stack, path, limit=100)["data"]) for path in ("customers", "products", "prices", "billing/meters", "checkout/sessions")}


ONE_OF_EACH = {"customers": 1, "products": 2, "prices": 2, "billing/meters": 1, "checkout/sessions": 1}


def test_a_price_that_was_changed_gets_a_new_price_and_the_old_one_still_stands_for_its_plan(stack, alice, bob):
    basic = plan(stack, "basic")
    subscribe(stack, alice, basic)
    old = stack.value("select price_id from plan_prices where kind = 'base'")
    stack.sql("update subscription_plans set price = 39 where id = %s", basic)
    page = stripe(stack, "checkout/sessions/" + session(stack, checkout(bob, basic)))
    assert page["amount_total"] == 3900
    assert stack.sql("select price_id, active from plan_prices where kind = 'base' and not active")[0].price_id == old
    with working(stack):
        stripe(stack, "subscriptions/" + stack.value("select external_id from subscriptions where origin = 'stripe'"), "POST", metadata__x="y")
        settled(stack)
    assert alice.get(ROOT)["plan"]["name"] == "basic", "who pays the old price keeps the plan"


def test_a_code_takes_something_off(stack, alice):
    coupon = stripe(stack, "coupons", "POST", percent_off="50", duration="once")["id"]
    stripe(stack, "promotion_codes", "POST", promotion__type="coupon", promotion__coupon=coupon, code="HALF")
    with working(stack):
        made = checkout(alice, plan(stack, "basic"))
        pay(stack, made, promotion_code="HALF")
        settled(stack)
    assert charged(stack, alice) == [1450] and alice.get(ROOT)["plan"]["name"] == "basic"


def test_an_organization_is_given_one_trial(stack, alice):
    basic = plan(stack, "basic")
    stack.sql("update subscription_plans set trial_days = 14 where id = %s", basic)
    subscribe(stack, alice, basic)
    found = alice.get(ROOT)["subscription"]
    assert (found["status"], charged(stack, alice)) == ("trialing", []) and found["trial_end"] == found["period_end"]
    with working(stack):
        alice.post(ROOT + "/cancel", {"at_period_end": False})
        settled(stack)
    assert alice.get(ROOT)["plan"]["name"] == "free"
    subscribe(stack, alice, basic)
    assert (alice.get(ROOT)["subscription"]["status"], charged(stack, alice)) == ("active", [2900])


# ---- what is refused ---------------------------------------------------------------------


def test_plans_that_nobody_can_pay_for_are_refused(stack, alice):
    stack.sql("update subscription_plans set on_sale = false where name = 'business'")
    for wanted, code in ((plan(stack, "free"), "plan_free"), (plan(stack, "business"), "plan_not_found"),
                         ("00000000-0000-4000-8000-000000000000", "plan_not_found")):
        assert problem(alice.ask("POST", CHECKOUT, {"plan_id": wanted}), 422, code)["errors"][0]["field"] == "plan_id"
    assert stack.sandbox.stripe_requests() == [] and not stack.count("checkout_sessions")


def test_nobody_is_sent_to_a_strangers_site(stack, alice):
    basic = plan(stack, "basic")
    for url in ("https://evil.example/", "//evil.example/", APP + ".evil.example/", APP + "@evil.example/", APP + ":444/", "javascript:alert(1)", "/x", ""):
        for field in ("success_url", "cancel_url"):
            found = problem(alice.ask("POST", CHECKOUT, {"plan_id": basic, field: url}), 400, "bad_fields")
            assert [e["field"] for e in found["errors"]] == [field], url
        problem(alice.ask("POST", ROOT + "/portal", {"return_url": url}), 400, "bad_fields")
    problem(alice.with_headers(Authorization="Bearer hsk_" + "x" * 43).ask("POST", CHECKOUT, {"plan_id": basic, "success_url": "x"}), 401)
    page = stripe(stack, "checkout/sessions/" + session(stack, checkout(alice, basic, success_url=APP + "/ok?s={CHECKOUT_SESSION_ID}", cancel_url=APP + "/no")))
    assert (page["success_url"], page["cancel_url"]) == (APP + "/ok?s={CHECKOUT_SESSION_ID}", APP + "/no")


def test_without_a_key_of_stripes_nothing_can_be_paid(stack, alice):
    with stack.other_settings("checkout", STRIPE_SECRET_KEY=None):
        for who in (alice, alice.with_headers(Idempotency_Key="k")):
            problem(who.ask("POST", CHECKOUT, {"plan_id": plan(stack, "basic")}), 409, "billing_not_configured")
    assert checkout(alice.with_headers(Idempotency_Key="k"), plan(stack, "basic"))["url"]


def test_a_checkout_is_seen_by_its_organization_alone(stack, alice, bob):
    made = checkout(alice, plan(stack, "basic"))
    for ident in (made["id"], session(stack, made), "nothing"):
        problem(bob.ask("GET", f"{CHECKOUT}/{ident}"), 404, "checkout_not_found")


def test_who_was_closed_for_an_unpaid_bill_can_still_pay(stack, alice):
    for standing in ("read_only", "suspended"):
        stack.sql("update organizations set status = %s where id = %s", standing, alice.organization)
        stack.sql("update billing_accounts set standing = %s where organization_id = %s", standing, alice.organization)
        assert alice.get(ROOT)["standing"] == standing
        assert checkout(alice, plan(stack, "basic"))["url"] and alice.post(ROOT + "/portal")["url"]


# ---- at once, and again --------------------------------------------------------------------


def at_once(n, do):
    """That many at the same time."""
    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(do, range(n)))


def test_many_at_once_make_one_customer_and_one_of_each_price(stack, alice):
    basic = plan(stack, "basic")
    with stack.sandbox.holding("before", provider="stripe", type="customers"):
        with ThreadPoolExecutor(4) as pool:
            running = [pool.submit(lambda n: alice.with_headers(Idempotency_Key=f"k{n}").ask("POST", CHECKOUT, {"plan_id": basic}), n) for n in range(4)]
            wait_until(lambda: len(stack.sandbox.stripe_requests(path="customers")) + stack.sandbox.held() >= 4, what="four at Stripe's door")
            stack.sandbox.release()
            answers = [one.result() for one in running]
    assert [a.status_code for a in answers] == [201] * 4 and len({a.json()["id"] for a in answers}) == 4
    assert things(stack) == {**ONE_OF_EACH, "checkout/sessions": 4}


def test_the_same_key_at_the_same_time_makes_one_page(stack, alice):
    basic, keyed = plan(stack, "basic"), alice.with_headers(Idempotency_Key="once")
    answers = at_once(4, lambda _: keyed.ask("POST", CHECKOUT, {"plan_id": basic}))
    for answer in answers:
        if answer.status_code != 201:
            assert problem(answer, answer.status_code)["code"] in ("idempotency_in_use", "unavailable") and int(answer.headers["Retry-After"]) > 0
    made = checkout(keyed, basic)
    assert {a.json()["id"] for a in answers if a.status_code == 201} <= {made["id"]}
    assert things(stack) == ONE_OF_EACH and stack.count("checkout_sessions") == 1
    problem(keyed.ask("POST", CHECKOUT, {"plan_id": plan(stack, "business")}), 409, "idempotency_key_reused")


TROUBLE = {"500 and not done": {"status": 500}, "500 and done": {"status": 500, "accept": True}, "429": {"status": 429}, "lost and done": {"answer": "reset"},
           "lost and not done": {"answer": "reset", "accept": False}, "nonsense and done": {"answer": "html"}}


@pytest.mark.parametrize("trouble", TROUBLE)
@pytest.mark.parametrize("where", ONE_OF_EACH)
def test_whatever_stripe_answers_the_same_key_completes_it(stack, alice, trouble, where):
    keyed, basic = alice.with_headers(Idempotency_Key="once"), plan(stack, "basic")
    stack.sandbox.rule(TROUBLE[trouble], provider="stripe", type=where, times=1)
    first = keyed.ask("POST", CHECKOUT, {"plan_id": basic})
    if first.status_code != 201:
        problem(first, 503, "unavailable")
        assert not stack.count("checkout_sessions") and alice.get(ROOT)["plan"]["name"] == "free"
    made = checkout(keyed, basic)
    assert stack.sandbox.rules()[0]["fired"] == 1
    got = things(stack)
    assert {**got, "checkout/sessions": 1} == ONE_OF_EACH and got["checkout/sessions"] <= 2, got
    assert stack.count("checkout_sessions") == 1 and stripe(stack, "checkout/sessions/" + session(stack, made))["status"] == "open"
    assert checkout(keyed, basic) == made


@pytest.mark.parametrize("where", ONE_OF_EACH)
def test_a_program_that_is_killed_in_between_has_made_nothing_twice(stack, alice, where):
    keyed, basic = alice.with_headers(Idempotency_Key="once"), plan(stack, "basic")
    with stack.sandbox.holding("after", provider="stripe", type=where), ThreadPoolExecutor(1) as pool:
        running = pool.submit(keyed.ask, "POST", CHECKOUT, {"plan_id": basic})
        wait_until(lambda: stack.sandbox.held() == 1, what="a request that is done and not answered")
        stack.kill_program("checkout")
        assert running.result().status_code == 502
    stack.start_program("checkout")
    assert checkout(keyed, basic)["url"] and things(stack) == ONE_OF_EACH


@pytest.mark.parametrize("way", ("checkout", "portal"))
def test_a_customer_who_was_deleted_at_stripe_is_made_anew_though_nobody_told(stack, alice, way):
    basic = plan(stack, "basic")
    checkout(alice, basic)
    old = customer_of(stack, alice)
    stack.sandbox.settings(stripe_webhook_url=None)
    stripe(stack, "customers/" + old, "DELETE")
    keyed = alice.with_headers(Idempotency_Key="once")
    done = [checkout(keyed, basic) if way == "checkout" else keyed.post(ROOT + "/portal") for _ in range(2)]
    new = customer_of(stack, alice)
    assert done[0] == done[1] and done[0]["url"] and new != old and stripe(stack, "customers/" + new)["metadata"]["organization_id"] == alice.organization
    assert not stack.value("select customer_deleted from billing_accounts where organization_id = %s", alice.organization)


def test_what_ended_with_a_deleted_customer_does_not_stand_in_the_way(stack, alice):
    basic = plan(stack, "basic")
    subscribe(stack, alice, basic)
    stack.sandbox.settings(stripe_webhook_url=None)
    problem(alice.ask("POST", CHECKOUT, {"plan_id": basic}), 409, "subscription_exists")
    stripe(stack, "customers/" + customer_of(stack, alice), "DELETE")
    assert alice.get(ROOT)["plan"]["name"] == "basic", "nobody has told"
    assert checkout(alice, basic)["url"] and alice.get(ROOT)["plan"]["name"] == "free"


def test_a_price_that_is_gone_is_no_customer_that_is(stack, alice):
    basic = plan(stack, "basic")
    checkout(alice, basic)
    old = customer_of(stack, alice)
    stack.sql("update plan_prices set price_id = 'price_gone', amount_cents = null where kind = 'base'")
    problem(alice.ask("POST", CHECKOUT, {"plan_id": basic}), 409, "payment_provider_refused")
    assert customer_of(stack, alice) == old and len(stripe(stack, "customers", limit=100)["data"]) == 1


# ---- who is told of it -----------------------------------------------------------------------


def test_addresses_at_stripe_are_told_to_who_may_pay_and_kept_sealed(stack, alice):
    keyed = alice.with_headers(Idempotency_Key="once")
    made, portal = checkout(keyed, plan(stack, "basic")), alice.with_headers(Idempotency_Key="twice").post(ROOT + "/portal")
    for scopes, told in ((("billing:read",), None), (("billing:read", "billing:write"), made["url"])):
        assert stack.api_key(alice, scopes).get(f"{CHECKOUT}/{made['id']}")["url"] == told
    kept = stack.value("select string_agg(body, ' ') from idempotency_keys")
    assert made["url"] not in kept and portal["url"] not in kept and "http" not in kept
    assert checkout(keyed, plan(stack, "basic")) == made


def test_names_and_addresses_of_customers_stand_in_no_run(stack, alice):
    subscribe(stack, alice, plan(stack, "basic"))
    with working(stack):
        stripe(stack, "customers/" + customer_of(stack, alice), "POST", email="secret-person@example.com", name="Secret Person")
        settled(stack)
    runs = stack.value("select (select string_agg(r::text, ' ') from workflow_runs r) || (select string_agg(s::text, ' ') from workflow_steps s)")
    assert customer_of(stack, alice) in runs and "ecret" not in runs
    bill, = alice.get(ROOT + "/invoices")["data"]
    assert bill["hosted_url"] and bill["pdf_url"] and not [url for url in (bill["hosted_url"], bill["pdf_url"]) if url in runs], "nor addresses of bills"


def test_an_owner_is_given_one_trial_with_all_his_organizations(stack, alice, bob):
    basic = plan(stack, "basic")
    stack.sql("update subscription_plans set trial_days = 14 where id = %s", basic)
    subscribe(stack, alice, basic)
    ident = alice.post("/api/v1/organizations", {"name": "Second"}, expect=201)["id"]
    second = alice.with_headers(X_Organization_Id=ident)
    second.organization = ident
    for who, status in ((second, "active"), (bob, "trialing")):
        subscribe(stack, who, basic)
        assert who.get(ROOT)["subscription"]["status"] == status


def test_a_person_owns_few_organizations_that_pay_for_nothing(stack, alice):
    made = [alice.post("/api/v1/organizations", {"name": f"Free {n}"}, expect=201)["id"] for n in range(4)]
    for _ in range(2):
        problem(alice.ask("POST", "/api/v1/organizations", {"name": "One more"}), 422, "limit_reached")
        alice.with_headers(X_Organization_Id=made[0]).ask("DELETE", "/api/v1/organizations/" + made[0])
    subscribe(stack, alice, plan(stack, "basic"))
    assert alice.post("/api/v1/organizations", {"name": "One more"}, expect=201)


def test_what_stripe_is_asked_meanwhile_is_timed(stack, alice):
    """By the route's own operation: paths at Stripe hold ids."""
    stripe_asked = ("provider_seconds_count", ("operation", "checkout_create"), ("system", "stripe"))
    before = metrics(stack)
    checkout(alice, plan(stack, "basic"))
    wait_until(lambda: metrics(stack).get(stripe_asked, 0) > before.get(stripe_asked, 0), what="the figures of what Stripe was asked")
