"""Who deletes an organization does not go on paying for it: at the sandbox's Stripe."""

import pytest

from stack_process import wait_until
from stack_stripe import Shop

ROOT = "/api/v1/organizations"


@pytest.fixture
def shop(stack):
    """Stripe with a plan."""
    shop = Shop(stack)
    shop.plan("gold", 9900, 50)
    return shop


@pytest.fixture
def paying(stack, shop, alice):
    """alice with a second organization that pays for the plan, and its subscription at Stripe."""
    made = alice.post(ROOT, {"name": "Paying"}, expect=201)["id"]
    with shop.working():
        sub = shop.pay(shop.checkout(made, shop.customer(made), "gold"))
        shop.told()
    assert shop.has(made) == "stripe active gold"
    return made, sub


def there(shop, sub):
    """Whether it ends, and how it stands."""
    found = shop.ask("GET", f"subscriptions/{sub}")
    return found["status"], found["cancel_at_period_end"]


def delete(alice, organization):
    alice.expect("DELETE", f"{ROOT}/{organization}")


def hurry(stack, *workflows):
    """What is to be done, or tried again, later is done now; runs are locked in their order, as the engine locks them."""
    stack.sql("""with r as (select r.id from workflow_runs r where r.workflow = any (%s) and r.state in ('ready', 'waiting') and r.due_at > now() order by r.id for update),
                      s as (update workflow_steps s set due_at = now() from r where r.id = s.run_id and s.due_at > now())
                 update workflow_runs x set due_at = now() from r where r.id = x.id""", list(workflows))


def differences(stack):
    return [tuple(d) for d in stack.sql("select provider, kind, external_id from billing_differences where resolved_at is null")]


def test_its_subscription_ends_with_the_period_and_goes_on_when_it_is_restored(stack, shop, alice, paying):
    organization, sub = paying
    page = shop.checkout(organization, stack.value("select stripe_customer_id from organizations where id = %s", organization), "gold")
    with shop.working():
        delete(alice, organization)
        shop.told()
    assert there(shop, sub) == ("active", True) and shop.ask("GET", f"checkout/sessions/{page}")["status"] == "expired"
    with shop.working():
        alice.post(f"{ROOT}/{organization}/restore")
        shop.told()
    assert there(shop, sub) == ("active", False) and shop.has(organization) == "stripe active gold"
    assert "organization_deleted" not in shop.ask("GET", f"subscriptions/{sub}")["metadata"]


def test_what_its_owner_had_ended_before_stays_ended(stack, shop, alice, paying):
    organization, sub = paying
    shop.ask("POST", f"subscriptions/{sub}", cancel_at_period_end=True)
    with shop.working():
        delete(alice, organization)
        shop.told()
        alice.post(f"{ROOT}/{organization}/restore")
        shop.told()
    assert there(shop, sub) == ("active", True)


def test_restored_while_it_is_being_ended_it_goes_on(stack, shop, alice, paying):
    organization, sub = paying
    with shop.working():
        with stack.sandbox.holding("before", provider="stripe", type=f"subscriptions/{sub}", operation="update"):
            delete(alice, organization)
            wait_until(stack.sandbox.held, what="the end being asked for")
            alice.post(f"{ROOT}/{organization}/restore")
            wait_until(lambda: stack.count("workflow_runs", "id like 'stripe-end:%%:restored' and state = 'done'"), what="a restoration that finds nothing to take back")
        shop.told()
    assert there(shop, sub) == ("active", False)


def test_one_that_is_paid_for_when_it_is_deleted_already_ends_too(stack, shop, alice):
    made = alice.post(ROOT, {"name": "Late"}, expect=201)["id"]
    page = shop.checkout(made, shop.customer(made), "gold")
    stack.sql("update checkout_sessions set external_id = null where external_id = %s", page)  # one that is just being made
    with shop.working():
        delete(alice, made)
        sub = shop.pay(page)
        shop.told()
    assert there(shop, sub) == ("active", True)


def test_when_the_grace_is_over_it_is_cancelled_at_once_and_only_then_rows_go(stack, shop, alice, paying):
    organization, sub = paying
    stack.sandbox.rule({"status": 503}, provider="stripe")
    with shop.working():
        delete(alice, organization)
        stack.sql("update organizations set deleted_after = now() where id = %s", organization)
        wait_until(lambda: hurry(stack, "organization-delete") or stack.count("workflow_runs", "id like 'stripe-end:%%:over:%%'"), what="the last run")
        assert stack.count("organizations", "id = %s", organization) == 1
        stack.sandbox.clear_rules()
        wait_until(lambda: hurry(stack, "stripe-end", "stripe-sync") or there(shop, sub)[0] == "canceled", what="its end")
        wait_until(lambda: hurry(stack, "stripe-end", "stripe-sync", "organization-delete") or not stack.count("organizations", "id = %s", organization),
                   what="its removal")
        shop.told()
    assert differences(stack) == []


def test_of_paddle_a_person_is_told(stack, alice):
    made = alice.post(ROOT, {"name": "Paddle"}, expect=201)["id"]
    stack.sql("update subscriptions set current = false where organization_id = %s", made)
    stack.insert("subscriptions", organization_id=made, origin="paddle", external_id="sub_p", external_status="active", status="active")
    delete(alice, made)
    assert differences(stack) == [("paddle", "deleted_organization", "sub_p")]
    alice.post(f"{ROOT}/{made}/restore")
    assert differences(stack) == []
