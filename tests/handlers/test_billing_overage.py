"""Further minutes while plans change: whatever price the item has, each second is on one line of one invoice, and ledger, reports, meter and
lines say the same."""

import os
import time

import pytest
from psycopg.types.json import Jsonb

from stack_money import EVENT, Money, month_ago
from stack_process import wait_until

WORKFLOWS = ("usage-report", "billing-cycle", "stripe-sync")


@pytest.fixture(scope="module")
def money_of_file(tmp_path_factory):
    """The engine with the workflows of money."""
    if not os.environ.get("HOOKSWITCH_TEST_DATABASE_URL"):
        pytest.skip("no cluster for tests at hand (./dev test makes one)")
    with Money(tmp_path_factory.mktemp("money")) as running:
        yield running


@pytest.fixture
def money(money_of_file):
    """Nobody has paid anything yet."""
    money_of_file.reset()
    return money_of_file


@pytest.fixture
def plans(money):
    """A small plan and a greater one, which both include a minute, and one that sells nothing beyond.  Stripe's clock stands a month back."""
    money.clock(month_ago(time.time() - 1800))
    small, great = money.plan("test-small", minutes=1, overage=6, rank=50), money.plan("test-great", minutes=1, overage=3, price=9900, rank=60)
    least = money.plan("test-least", minutes=1, overage=6, price=900, rank=40)
    money.sql("delete from plan_prices where price_id = %s", least["overage"])
    money.sql("update subscription_plans set overage_cents = null, limit_mode = 'hard' where id = %s", least["id"])
    return {"small": small, "great": great, "least": least}


def begin(money, plan):
    """Somebody with a plan whose first period ended about half an hour ago; Stripe's clock stands two hours before that end."""
    whose = money.organization()
    whose["subscription"] = money.subscribe(whose, plan)
    whose["start"], whose["end"] = money.sql("""select extract(epoch from current_period_start)::bigint as a, extract(epoch from current_period_end)::bigint as b
                                                  from subscriptions where external_id = %s""", whose["subscription"])[0]
    money.clock(whose["end"] - 7200)
    return whose


def change(money, whose, kind, plan):
    """Another plan, asked for with the parameters that the route asks with."""
    sub = money.stripe("GET", f"subscriptions/{whose['subscription']}")
    items = [{"id": i["id"], "price": i["price"]["id"], "quantity": i.get("quantity")} for i in sub["items"]["data"]]
    told = {"provider": "stripe", "items": items, "metadata": sub["metadata"], "period_start": whose["start"], "period_end": whose["end"]}
    form = money.value("select jsonb_strip_nulls(plan_change_form(%s, %s, %s, null))", kind, Jsonb(told), plan["id"])
    money.stripe("POST", f"subscriptions/{whose['subscription']}", **{name.replace("[", "__").replace("]", ""): value for name, value in form.items()})
    money.read("subscription", whose["subscription"])


def prices(money, whose):
    """The prices that Stripe has the subscription at."""
    return [i["price"]["id"] for i in money.stripe("GET", f"subscriptions/{whose['subscription']}")["items"]["data"]]


def renewals(money, whose):
    """The renewal invoices, the oldest first."""
    found = money.stripe("GET", "invoices", customer=whose["customer"], limit=100)["data"]
    return [i["id"] for i in found if i["billing_reason"] == "subscription_cycle"][::-1]


def charged(money, invoice, *plans):
    """How many seconds an invoice charges at each plan's price."""
    lines = money.stripe("GET", f"invoices/{invoice}")["lines"]["data"]
    return tuple(sum(x["quantity"] for x in lines if x["pricing"]["price_details"]["price"] == p["overage"]) for p in plans)


def used(money, whose, ends):
    """Calls that are over, and counted."""
    money.calls(whose, ends)
    money.fold()


def agree(money, whose):
    """Ledger, reports, meter and lines."""
    ledger = money.value("select sum(overage) from usage_entries where organization_id = %s", whose["id"])
    reports = money.value("select sum(quantity) from usage_reports where organization_id = %s and state = 'sent'", whose["id"])
    mapped = set(p[0] for p in money.sql("select price_id from plan_prices where kind = 'overage'"))
    invoices = money.stripe("GET", "invoices", customer=whose["customer"], limit=100)["data"]
    lines = sum(x["quantity"] for i in invoices for x in i["lines"]["data"] if x["pricing"]["price_details"]["price"] in mapped)
    assert ledger == reports == money.seen()["meters"][EVENT][whose["customer"]]["value"] == lines, (ledger, reports, money.seen()["meters"], lines)
    return lines


def over(money):
    """Nothing is under way any more; what the meter was told just now was told a while ago."""
    money.sql("update usage_reports set sent_at = sent_at - interval '1 hour' where sent_at > now() - interval '1 minute'")
    return money.settled(WORKFLOWS)


def renew(money, whose):
    """The period is over; its draft is read, and the pump is at work on it."""
    money.clock(time.time())
    invoice = renewals(money, whose)[-1]
    money.read("subscription", whose["subscription"])
    money.read("invoice", invoice)
    return invoice


@pytest.mark.parametrize("kind, old, new", [("upgrade", "small", "great"), ("downgrade", "great", "small")])
def test_each_further_second_is_billed_once_whatever_plan_comes(money, plans, kind, old, new):
    old, new = plans[old], plans[new]
    whose = begin(money, old)
    used(money, whose, [(whose["end"] - 8000, 100)])
    money.work(lambda: money.settled(WORKFLOWS))
    used(money, whose, [(whose["end"] - 7900, 50)])  # told only after the change
    change(money, whose, kind, new)
    assert prices(money, whose) == [new["base"], old["overage"]], "the plan itself, and nothing else"
    used(money, whose, [(whose["end"] - 7000, 30)])
    money.work(lambda: money.settled(WORKFLOWS))

    # The next period begins, and something of it is told before the price is set right, something just then, and something afterwards.
    money.clock(whose["end"] + 900)
    used(money, whose, [(whose["end"] + 600, 200)])
    money.work(lambda: money.settled(WORKFLOWS))
    used(money, whose, [(whose["end"] + 700, 20)])
    with money.sandbox.holding("before", provider="stripe", operation="create", type="billing/meter_events"):
        pump = money.begin()
        wait_until(money.sandbox.held, what="a report under way")
        invoice = renew(money, whose)
        wait_until(lambda: money.value("select overage_held_by from subscriptions where external_id = %s", whose["subscription"]), what="the price's turn")
        used(money, whose, [(whose["end"] + 800, 7)])
        assert prices(money, whose)[1] == old["overage"], "not while something is under way to it"
    wait_until(lambda: money.value("select count(*) from usage_reports where sent_at > now() - interval '30 seconds'"), what="it having arrived")
    assert prices(money, whose)[1] == old["overage"], "the meter counts by itself, a little later"
    wait_until(lambda: over(money), what="the end")
    used(money, whose, [(whose["end"] + 850, 5)])
    wait_until(lambda: money.settled(WORKFLOWS), what="the late one")
    money.end(pump)
    assert prices(money, whose) == [new["base"], new["overage"]]
    assert charged(money, invoice, old, new) == (120, 0)
    assert money.value("select count(*) from usage_reports where reason = 'price_changed' and state = 'sent'") == 2
    money.clock(whose["end"] + 33 * 86400)
    assert charged(money, renewals(money, whose)[1], old, new) == (160, 12)
    assert agree(money, whose) == 292
    assert money.sql("select kind, ours, theirs from billing_differences where resolved_at is null") == []


def test_a_price_that_goes_is_billed_to_its_end(money, plans):
    whose = begin(money, plans["small"])
    used(money, whose, [(whose["end"] - 8000, 100)])
    change(money, whose, "downgrade", plans["least"])
    assert prices(money, whose) == [plans["least"]["base"], plans["small"]["overage"]]
    pump = money.begin()
    renew(money, whose)
    wait_until(lambda: over(money), what="the end")
    money.end(pump)
    assert prices(money, whose) == [plans["least"]["base"]] and charged(money, renewals(money, whose)[0], plans["small"]) == (40,)
    money.clock(whose["end"] + 33 * 86400)
    assert agree(money, whose) == 40


def test_an_upgrade_brings_the_item_that_is_missing(money, plans):
    whose = begin(money, plans["small"])
    item = money.value("select overage_item_id from subscriptions where external_id = %s", whose["subscription"])
    money.stripe("POST", f"subscriptions/{whose['subscription']}", items__0__id=item, items__0__deleted="true")
    money.read("subscription", whose["subscription"])
    change(money, whose, "upgrade", plans["great"])
    assert prices(money, whose) == [plans["great"]["base"], plans["great"]["overage"]]
    assert money.value("select overage_since > now() - interval '1 hour' from subscriptions where external_id = %s", whose["subscription"])
