"""kill -9 at every step of every workflow of money: in the end each amount was charged once, each second told once, each mail sent once."""

import collections
import os
import time

import pytest
from stack_money import EVENT, Money, month_ago

from faulty import AFTER, BEFORE, Deaths, crash_points

FULL = os.environ.get("HOOKSWITCH_TEST_FULL") == "1"
DAILY = ("subscription-sync", "usage-aggregation", "reconcile", "billing-periods")


@pytest.fixture(scope="module")
def money_of_file(tmp_path_factory):
    """The programs from the build with crash points."""
    if not os.environ.get("HOOKSWITCH_TEST_DATABASE_URL"):
        pytest.skip("no cluster for tests at hand (./dev test makes one)")
    with Money(tmp_path_factory.mktemp("money"), build="HOOKSWITCH_CRASH_BUILD_DIR", HOOKSWITCH_WORK_BATCH=1) as running:
        yield running


@pytest.fixture
def money(money_of_file):
    """Nobody has paid anything yet."""
    money_of_file.reset()
    return money_of_file


def test_the_points_are_there():
    assert set(BEFORE + AFTER) <= set(crash_points())


def begin(money):
    """Somebody with a plan."""
    whose = money.organization()
    whose["subscription"] = money.subscribe(whose, money.one_plan)
    return whose


def world(money):
    """Three organizations: one pays, one cannot, one has two subscriptions.  A period is over, and not closed yet."""
    money.clock(month_ago(time.time() - 1800))
    money.one_plan = money.plan(minutes=1)
    pays, owes, twice = begin(money), begin(money), begin(money)
    end = money.value("select max(extract(epoch from current_period_end)) from subscriptions where external_id = %s", twice["subscription"])
    money.clock(end - 60)
    for whose in (pays, owes):
        money.calls(whose, [(end - 300, 50), (end - 290, 25), (end - 280, 45)])
    money.fold()
    money.clock(end + 120)
    twice["second"] = money.stripe("POST", "subscriptions", customer=twice["customer"], items__0__price=money.one_plan["base"],
                                   metadata__organization_id=str(twice["id"]), metadata__plan_id=str(money.one_plan["id"]))["id"]
    money.control(f"customers/{owes['customer']}", card="declines")
    return pays, owes, twice


def start(money, kind, ident):
    """What an event starts: reading one object."""
    money.reads += 1
    money.sql("select work_start(%s, 'stripe-sync', jsonb_build_object('event', null, 'type', 'read', 'kind', %s::text, 'id', %s::text))",
              f"stripe:read_{money.reads}", kind, ident)


def drafts(money, *whose):
    """Renewal invoices, and what events of them start."""
    found = []
    for one in whose:
        found += [i["id"] for i in money.stripe("GET", "invoices", customer=one["customer"])["data"] if i["billing_reason"] == "subscription_cycle"]
        start(money, "subscription", one["subscription"])
    for ident in found:
        start(money, "invoice", ident)
    return found


def over(money, *waiting):
    """All runs are over, but these."""
    money.hurry([r[0] for r in money.sql("select distinct workflow from workflow_runs where workflow <> 'dunning'")])
    return not money.value("""select count(*) from workflow_runs where state in ('ready', 'working', 'waiting')
                               and not (state = 'waiting' and workflow = any (%s))""", list(waiting))


def test_a_death_at_each_step_charges_nobody_twice_and_nobody_too_little(money):
    """At each step some point in turn, and then behind it."""
    deaths = Deaths(money)
    die_on_the_way(money, deaths)
    steps = {("billing-cycle", s) for s in ("wait", "close", "reports", "meter", "finalize", "invoice", "tell", "items", "align")}
    wanted = steps | {("usage-report", "(first)"), ("mail", "(first)"), ("dunning", "(first)"), ("stripe-sync", "apply"), ("stripe-surplus", "cancel"),
                      ("stripe-surplus", "refund"), *((w, "(first)") for w in DAILY)}
    assert wanted <= set(deaths.seen), wanted - set(deaths.seen)


if FULL:
    @pytest.mark.parametrize("after", AFTER)
    @pytest.mark.parametrize("before", BEFORE)
    def test_a_death_at_this_point_of_each_step_charges_nobody_twice_and_nobody_too_little(money, before, after):
        """Each point at each step."""
        die_on_the_way(money, Deaths(money, [before], [after]))


def die_on_the_way(money, deaths):
    """All that the workflows of money do for three organizations."""
    pays, owes, twice = world(money)
    found = drafts(money, pays, owes, twice)
    start(money, "subscription", twice["second"])
    for workflow in DAILY:
        if money.value("select count(*) from workflows where name = %s", workflow):
            money.sql("select work_start(%s, %s, jsonb_build_object('slot', '2026-11-20T02:00:00Z'))", f"{workflow}:test", workflow)
    deaths.until(lambda: over(money, "dunning"))  # the reconciliation may have found the refused card already

    # The one that owes: the card was refused; then somebody pays.
    start(money, "subscription", owes["subscription"])
    deaths.until(lambda: over(money, "dunning") and money.value("select state from workflow_runs where workflow = 'dunning'") == "waiting")
    assert money.value("select standing from billing_accounts where organization_id = %s", owes["id"]) == "past_due"
    money.control(f"customers/{owes['customer']}", card="good")
    money.stripe("POST", f"invoices/{next(i for i in found if money.stripe('GET', f'invoices/{i}')['customer'] == owes['customer'])}/pay")
    start(money, "subscription", owes["subscription"])
    deaths.until(lambda: over(money))
    check(money, pays, owes, twice)


def check(money, pays, owes, twice):
    """What must hold of everybody's money."""
    seen, price = money.seen(), 2900
    assert money.states() == {"done": sum(money.states().values())}
    further = {pays["customer"]: 6, owes["customer"]: 6, twice["customer"]: 0}  # 60 s at 6 cents a minute
    for one in (pays, owes):
        meter = seen["meters"][EVENT][one["customer"]]
        assert (meter["value"], meter["events"], meter["identifiers"]) == (60, 2, 2), meter
        assert money.value("select sum(overage) from usage_entries where organization_id = %s", one["id"]) == 60
    # Each has paid for two months and what lies beyond the first; the second subscription was paid back as a whole.
    for one in (pays, owes, twice):
        invoices = money.stripe("GET", "invoices", customer=one["customer"], limit=100)["data"]
        paid = sorted(i["amount_paid"] for i in invoices if i["status"] == "paid")
        extra = [price] if one is twice else []
        assert paid == sorted([price, price + further[one["customer"]], *extra]), (paid, one)
        assert not [i for i in invoices if i["status"] in ("draft", "open")]
        assert seen["charges_by_customer"][one["customer"]] == len(paid)
        assert seen["charged"][one["customer"]] == sum(paid)
    assert {c: n for c, n in seen["refunded"].items() if n} == {twice["customer"]: price} and seen["refunds"] == 1
    assert money.stripe("GET", f"subscriptions/{twice['second']}")["status"] == "canceled"
    assert money.stripe("GET", f"subscriptions/{twice['subscription']}")["status"] == "active"
    mails = collections.Counter((m["to"][0] if isinstance(m["to"], list) else m["to"], m["subject"]) for m in money.sandbox.mails())
    assert set(mails.values()) == {1}, mails
    assert {s.split(",")[0] for t, s in mails if t == owes["mail"]} == {"Acme", "A payment of Acme failed", "Acme is paid up"}, mails
    assert money.sql("select standing from billing_accounts where organization_id = any (%s)", [pays["id"], owes["id"]]) == [("good",), ("good",)]
    assert money.sql("select kind, external_id, ours, theirs from billing_differences where resolved_at is null") == []
    assert money.value("select count(*) from usage_periods where state = 'final'") == 3
