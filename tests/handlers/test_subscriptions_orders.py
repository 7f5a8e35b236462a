"""Events of a whole life at Stripe in any order, some of them twice: always the same rows at the end."""

import itertools
import random

import pytest

from stack_stripe import DAY, Shop

# Five of a life's events (the last one of each type), and what is told after them among other things.
FIVES = (
    (("checkout.session.completed", "customer.subscription.created", "invoice.paid", "customer.subscription.trial_will_end", "invoice.payment_failed"),
     ("invoice_paid", "payment_failed", "subscription_created")),
    (("invoice.payment_failed", "invoice.payment_succeeded", "customer.subscription.updated", "charge.refunded", "customer.subscription.deleted"),
     ("invoice_paid", "refunded", "subscription_canceled")),
    (("invoice.created", "charge.dispute.created", "customer.updated", "payment_method.attached", "checkout.session.completed"),
     ("disputed", "subscription_created")),
)


@pytest.fixture
def life(stack):
    """A shop whose Stripe tells nobody anything, an organization there, and all events of its life so far."""
    shop = Shop(stack, told=False)
    shop.plan("gold", 9900, 50)
    shop.plan("silver", 2900, 40)
    organization = stack.user("alice").organization
    return shop, organization, shop.customer(organization)


def stages(shop, organization, customer):
    """Trial, upgrade, failed payment, recovery, downgrade, cancel, refund: one after the other, as the caller goes on."""
    sub = shop.pay(shop.checkout(organization, customer, "silver", trial_period_days=7))
    yield "trial"
    shop.sandbox.stripe_clock(advance=5 * DAY)
    shop.sandbox.stripe_clock(advance=2 * DAY + 7200)
    yield "paid"
    item = shop.ask("GET", f"subscriptions/{sub}")["items"]["data"][0]["id"]
    shop.ask("POST", f"subscriptions/{sub}", items=[{"id": item, "price": shop.prices["gold"]}], proration_behavior="always_invoice",
             metadata={"plan_id": shop.plans["gold"]})
    yield "upgrade"
    shop.sandbox.stripe_do("customers", customer, card="declines")
    shop.sandbox.stripe_clock(advance=31 * DAY + 7200)
    yield "failed payment"
    shop.sandbox.stripe_do("customers", customer, card="good")
    shop.sandbox.stripe_clock(advance=4 * DAY)
    yield "recovery"
    shop.ask("POST", f"subscriptions/{sub}", items=[{"id": item, "price": shop.prices["silver"]}], proration_behavior="none",
             metadata={"plan_id": shop.plans["silver"], "hold_plan_id": shop.plans["gold"], "hold_until": 4000000000})
    yield "downgrade"
    shop.ask("POST", f"subscriptions/{sub}", cancel_at_period_end=True)
    yield "cancel at the period's end"
    shop.ask("DELETE", f"subscriptions/{sub}")
    yield "cancel"
    charge = shop.ask("GET", "charges", customer=customer)["data"][0]["id"]
    shop.sandbox.stripe_do("charges", charge, refund=500)
    shop.sandbox.stripe_do("charges", charge, dispute=True)
    yield "refund"


def collected(shop, organization, customer):
    """At each stage all events so far; Stripe lists those of thirty days only."""
    found = {}
    for _ in stages(shop, organization, customer):
        found.update((e["id"], e) for e in shop.events())
        yield list(found.values())


def lived(shop, organization, events):
    """All rows after these events, which came one after the other."""
    shop.forget(organization)
    for event in events:
        shop.deliver(event)
        shop.settled()
    return shop.rows(organization)


def doubled(dice, events):
    """The same events, one to three of them again somewhere behind themselves."""
    events = list(events)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(events))
        events.insert(dice.randint(at + 1, len(events)), events[at])
    return events


def test_any_five_in_every_order_make_the_same_rows(life, full):
    """All orders of each five with --full, else a few that a seed chooses, each with some events twice."""
    shop, organization, customer = life
    *_, events = collected(shop, organization, customer)
    known, dice = {e["type"]: e for e in events}, random.Random(5)
    with shop.working():
        for five, told in FIVES:
            orders = list(itertools.permutations(known[kind] for kind in five))
            first, rest = orders[0], orders[1:] if full else dice.sample(orders[1:], 7)
            wanted = lived(shop, organization, first)
            assert wanted["subscriptions"] and {e[0] for e in wanted["events"]} >= set(told), wanted
            for order in rest:
                assert lived(shop, organization, doubled(dice, order)) == wanted, [e["type"] for e in order]


def test_events_that_come_while_life_goes_on_make_the_same_rows(life, full):
    """At each stage some of the events so far come, in any order; at the end the others, and some again.  What is told of the
    way may differ, where it is came to does not."""
    shop, organization, customer = life
    dice = random.Random(7)
    waiting, seen = [], set()
    with shop.working():
        for everything in collected(shop, organization, customer):
            waiting += [e for e in everything if e["id"] not in seen]
            seen |= {e["id"] for e in waiting}
            dice.shuffle(waiting)
            for _ in range(len(waiting) // 3):
                shop.deliver(waiting.pop())
            shop.settled()
        shop.settled()
        for event in doubled(dice, waiting):
            shop.deliver(event)
        shop.settled()
        came = shop.rows(organization)
        wanted = lived(shop, organization, everything)
        for _ in range(10 if full else 1):
            dice.shuffle(everything)
            assert lived(shop, organization, everything) == wanted
    for what in ("subscriptions", "current", "invoices", "account", "organization"):
        assert came[what] == wanted[what], what
    # Money is told the same, whatever was seen on the way.
    money = ("invoice_paid", "invoice_finalized", "payment_failed", "refunded", "disputed")
    assert [e for e in came["events"] if e[0] in money] == [e for e in wanted["events"] if e[0] in money]
    assert wanted["current"][0] == "manual" and [s["status"] for s in wanted["subscriptions"]] == ["canceled"]
    assert {e[0] for e in wanted["events"]} >= {*money, "subscription_created", "subscription_canceled"}
    assert {e[0] for e in came["events"]} >= {*money, "subscription_created", "subscription_canceled"}
