"""Subscriptions of Stripe, with the whole stack and the sandbox: what somebody pays for there is what he has here, whatever Stripe
sends or does not send."""

import json

import pytest

from stack_process import at_once, wait_until
from stack_stripe import DAY, Shop

FREE = "manual active enterprise"  # the tests' default plan


@pytest.fixture
def shop(stack):
    """Stripe with two plans, gold and silver."""
    shop = Shop(stack)
    shop.plan("gold", 9900, 50)
    shop.plan("silver", 2900, 40)
    return shop


@pytest.fixture
def here(stack, shop):
    """An organization and its customer."""
    organization = stack.user("alice").organization
    return organization, shop.customer(organization)


def differences(stack, kind):
    return [row[0] for row in stack.sql("select external_id from billing_differences where kind = %s and resolved_at is null", kind)]


@pytest.mark.parametrize("version", ["2026-10-28.endive", "2023-08-16"])
def test_a_life_is_followed(stack, shop, here, version):
    organization, customer = here
    shop.sandbox.settings(stripe_webhook_version=version)
    with shop.working():
        session = shop.checkout(organization, customer, "gold", trial_period_days=7)
        sub = shop.pay(session)
        shop.told()
        assert shop.has(organization) == "stripe trialing gold"
        assert stack.sql("select status, payment_status, external_subscription_id from checkout_sessions") == [
            ("complete", "no_payment_required", sub)]
        shop.sandbox.stripe_clock(advance=7 * DAY + 7200)
        shop.told()
        assert shop.has(organization) == "stripe active gold"
        assert [tuple(i) for i in stack.sql("select status, amount_paid_cents from invoices order by issued_at")] == [("paid", 0), ("paid", 9900)]
        shop.sandbox.stripe_do("customers", customer, card="declines")
        shop.sandbox.stripe_clock(advance=31 * DAY + 7200)
        shop.told()
        assert shop.has(organization) == "stripe past_due gold"
        assert stack.value("select past_due_since is not null from subscriptions where external_id = %s", sub)
        shop.sandbox.stripe_do("customers", customer, card="good")
        shop.sandbox.stripe_clock(advance=4 * DAY)
        shop.told()
        assert shop.has(organization) == "stripe active gold"
        shop.ask("DELETE", f"subscriptions/{sub}")
        shop.told()
        assert shop.has(organization) == FREE
    assert stack.value("select count(*) from webhook_events where state not in ('applied', 'kept', 'ignored')") == 0
    types = [row[0] for row in stack.sql("select distinct event_type from billing_events order by 1")]
    assert types == ["invoice_finalized", "invoice_paid", "payment_failed", "payment_method_changed", "subscription_canceled", "subscription_created"]
    assert stack.count("billing_events", "event_type = 'invoice_paid'") == stack.count("invoices", "status = 'paid'") == 3


def test_of_two_checkouts_at_once_one_wins_and_the_other_is_paid_back(stack, shop, here):
    organization, customer = here
    sessions = [shop.checkout(organization, customer, plan) for plan in ("gold", "silver", "gold")]
    with shop.working():
        subs = at_once(*(lambda s=s: shop.pay(s) for s in sessions[:2]))
        shop.told()
    assert shop.has(organization).startswith("stripe active")
    winner = stack.value("select external_id from subscriptions where current and origin = 'stripe'")
    loser, = set(subs) - {winner}
    assert stack.sql("select status, surplus, current from subscriptions where external_id = %s", loser) == [("canceled", True, False)]
    assert shop.ask("GET", f"subscriptions/{winner}")["status"] == "active"
    seen, lost = shop.sandbox.stripe(), shop.ask("GET", "invoices", subscription=loser)["data"][0]["amount_paid"]
    assert lost > 0 and seen["refunded"] == {customer: lost} and seen["charged"] == {customer: 9900 + 2900}
    assert stack.value("select refunded_cents from invoices where external_subscription_id = %s", loser) == lost
    assert stack.value("select amount_cents from billing_events where event_type = 'refunded'") == lost
    assert stack.value("select status from checkout_sessions where external_id = %s", sessions[2]) == "expired"
    assert shop.ask("GET", f"checkout/sessions/{sessions[2]}")["status"] == "expired"


def test_a_new_one_after_a_cancelled_one_is_no_second_one(stack, shop, here):
    """Its event comes before that of the old one's end."""
    organization, customer = here
    with shop.working():
        first = shop.pay(shop.checkout(organization, customer, "gold"))
        shop.told()
        shop.sandbox.settings(stripe_webhook_url=None)
        shop.ask("DELETE", f"subscriptions/{first}")
        second = shop.pay(shop.checkout(organization, customer, "silver"))
        shop.read("subscription", second)
        shop.settled()
        assert shop.has(organization) == "stripe active silver"
    assert shop.sandbox.stripe()["refunds"] == 0
    assert shop.ask("GET", f"subscriptions/{second}")["status"] == "active"
    assert stack.sql("select status, surplus from subscriptions where external_id = %s", first) == [("canceled", False)]


def test_what_is_not_paid_yet_opens_nothing(stack, shop, here):
    """A payment that takes days, with a subscription that calls itself active."""
    organization, customer = here
    shop.sandbox.settings(stripe_delayed_status="active")
    with shop.working():
        good, bad = (shop.checkout(organization, customer, "gold") for _ in range(2))
        sub = shop.pay(bad, "delayed")
        shop.told()
        assert shop.ask("GET", f"subscriptions/{sub}")["status"] == "active"
        assert shop.has(organization) == FREE
        shop.sandbox.stripe_do("checkout", bad, settle=False)
        shop.told()
        assert shop.has(organization) == FREE
        shop.pay(good, "delayed")
        shop.told()
        assert shop.has(organization) == FREE
        shop.sandbox.stripe_do("checkout", good, settle=True)
        shop.told()
    assert shop.has(organization) == "stripe active gold"


def test_what_nobody_knows_opens_nothing(stack, shop, here):
    organization, customer = here
    product = shop.ask("POST", "products", name="strange")["id"]
    shop.prices["strange"] = shop.ask("POST", "prices", product=product, currency="jpy", unit_amount=0, recurring={"interval": "month"})["id"]
    shop.plans["strange"] = shop.plans["gold"]
    with shop.working():
        sub = shop.pay(shop.checkout(organization, customer, "strange"))
        shop.told()
        assert shop.has(organization) == "stripe active no plan"
        assert stack.value("select tier_type from subscriptions where external_id = %s", sub) == "unknown"
        assert differences(stack, "unknown_price") == [sub] and len(differences(stack, "unknown_currency")) == 1
        # Somebody says what the price stands for, and has it read again.
        stack.sql("insert into plan_prices (provider, price_id, plan_id, active) values ('stripe', %s, %s, false)", shop.prices["strange"], shop.plans["silver"])
        shop.read("subscription", sub)
        shop.settled()
    assert shop.has(organization) == "stripe active silver" and not differences(stack, "unknown_price")


def test_a_stranger_is_written_down_and_nobodys(stack, shop, here):
    customer = shop.ask("POST", "customers", email="x@example.com")["id"]
    shop.sandbox.stripe_do("customers", customer, card="good")
    with shop.working():
        sub = shop.ask("POST", "subscriptions", customer=customer, items=[{"price": shop.prices["gold"]}])["id"]
        shop.told()
    assert stack.count("subscriptions", "origin = 'stripe'") == stack.count("invoices") == 0
    assert sub in differences(stack, "stranger")
    assert stack.value("select count(*) from webhook_events where state = 'waiting'") == 0


def test_a_deleted_customer_has_nothing_any_more(stack, shop, here):
    organization, customer = here
    with shop.working():
        shop.pay(shop.checkout(organization, customer, "gold"))
        shop.told()
        assert stack.value("select payment_method ->> 'last4' from billing_accounts where organization_id = %s", organization)
        shop.ask("DELETE", f"customers/{customer}")
        shop.told()
    assert shop.has(organization) == FREE
    assert stack.sql("select customer_deleted, payment_method from billing_accounts where organization_id = %s", organization) == [(True, None)]


def test_a_refund_and_a_dispute_are_told(stack, shop, here):
    organization, customer = here
    with shop.working():
        shop.pay(shop.checkout(organization, customer, "gold"))
        shop.told()
        charge, = shop.ask("GET", "charges", customer=customer)["data"]
        for _ in range(2):
            shop.sandbox.stripe_do("charges", charge["id"], refund=1000)
            shop.told()
        shop.sandbox.stripe_do("charges", charge["id"], dispute=True)
        shop.told()
    assert stack.value("select refunded_cents from invoices where organization_id = %s", organization) == 2000
    assert [row[0] for row in stack.sql("select amount_cents from billing_events where event_type = 'refunded'")] == [1000, 1000]
    assert stack.count("billing_events", "event_type = 'disputed' and amount_cents = 9900") == 1


def test_a_key_that_is_refused_is_shown_and_waited_for(stack, shop, here):
    organization, customer = here
    shop.sandbox.settings(stripe_keys=["sk_other"], stripe_webhook_url=None)
    shop.read("customer", customer)
    run = "select state, last_error, extract(epoch from due_at - now())::int as wait from workflow_runs where workflow = 'stripe-sync'"
    with shop.working():
        waits = wait_until(lambda: [r for r in stack.sql(run) if r.last_error], what="a run that says why it waits")
        assert waits[0].state == "ready" and waits[0].last_error == "key_refused" and waits[0].wait > 200
        shop.sandbox.settings(stripe_keys=[])
        stack.sql("update workflow_steps set due_at = now() where state = 'retry'")
        stack.sql("update workflow_runs set due_at = now() where state = 'ready'")
        stack.run_program("workflow-pump", "--once")
        shop.settled()


def test_a_limit_is_waited_for_as_long_as_stripe_says(stack, shop, here):
    shop.sandbox.settings(stripe_webhook_url=None)
    shop.sandbox.rule({"status": 429, "headers": {"Retry-After": "120"}}, provider="stripe", operation="get", number=here[1], times=1)
    shop.read("customer", here[1])
    with shop.working():
        step = wait_until(lambda: stack.sql("select reason, extract(epoch from due_at - now())::int as wait from workflow_steps where state = 'retry'"),
                          what="a step that waits")[0]
    assert 100 < step.wait <= 140 and step.reason


def test_what_no_event_told_of_is_read_daily(stack, shop, here):
    organization, customer = here
    with shop.working():
        sub = shop.pay(shop.checkout(organization, customer, "gold"))
        shop.told()
        shop.sandbox.settings(stripe_webhook_url=None)
        shop.ask("DELETE", f"subscriptions/{sub}")
        stack.sql("select work_start('subscription-sync:1', 'subscription-sync')")
        stack.run_program("workflow-pump", "--once")
        shop.settled()
        assert shop.has(organization) == "stripe active gold", "what was read just now is not read again"
        stack.sql("update subscriptions set synced_at = now() - interval '2 days' where external_id = %s", sub)
        stack.sql("select work_start('subscription-sync:2', 'subscription-sync')")
        wait_until(lambda: shop.has(organization) == FREE, what="the daily reading")
        shop.settled()


def test_the_daily_reading_goes_on_until_all_are_read(stack, shop, here):
    """More than one batch, and what is over is left alone."""
    organization, customer = here
    stack.sql("insert into subscriptions (organization_id, origin, external_id, external_customer_id, current, status)"
              " select %s, 'stripe', 'sub_' || n, %s, false, case when n > 250 then 'canceled' else 'paused' end from generate_series(1, 260) n",
              organization, customer)
    answer, runs = {"again": {}}, []
    for n in range(10):
        answer = stack.value("select subscription_sync(jsonb_build_object('id', 'x', 'slot', 's', 'input', %s::jsonb))",
                             json.dumps(answer["again"]))
        runs.append(stack.count("workflow_runs", "id like 'stripe-sync:daily:%'"))
        if answer is None:
            break
        assert answer["sleep_seconds"] > 0
    assert runs == [100, 200, 250]


def test_a_slow_reading_does_not_undo_a_later_one(stack, shop, here):
    organization, customer = here
    with shop.working():
        sub = shop.pay(shop.checkout(organization, customer, "gold"))
        shop.told()
        shop.sandbox.settings(stripe_webhook_url=None)
        with shop.sandbox.holding("after", provider="stripe", operation="get", type="subscriptions/{id}", times=1):
            shop.read("subscription", sub)
            wait_until(lambda: shop.sandbox.held() == 1, what="a reading on its way")
            shop.ask("DELETE", f"subscriptions/{sub}")
            shop.read("subscription", sub)
            wait_until(lambda: shop.has(organization) == FREE, what="the later reading")
        shop.settled()
    assert stack.count("workflow_runs", "workflow = 'stripe-sync' and id like 'stripe-sync:test:%%'") == 2
    assert shop.has(organization) == FREE


def test_another_plan_and_the_end_are_told_by_a_mail_each(stack, shop, here):
    organization, customer = here
    with shop.working():
        sub = shop.pay(shop.checkout(organization, customer, "silver"))
        shop.told()
        item = shop.ask("GET", f"subscriptions/{sub}")["items"]["data"][0]["id"]
        shop.ask("POST", f"subscriptions/{sub}", items=[{"id": item, "price": shop.prices["gold"]}])
        shop.told()
        shop.read("subscription", sub)
        shop.settled()
        shop.ask("DELETE", f"subscriptions/{sub}")
        shop.told()
        shop.read("subscription", sub)
        shop.settled()
    mails = stack.sql("select input ->> 'kind' as kind, input -> 'data' ->> 'plan' as plan, input -> 'data' ->> 'old_plan' as old from workflow_runs where workflow = 'mail' and organization_id = %s"
                      " and input ->> 'kind' in ('plan_changed', 'subscription_canceled') order by created_at", organization)
    assert [tuple(m) for m in mails] == [("plan_changed", "gold", "silver"), ("subscription_canceled", "gold", None)]
