"""A period ends: what the ledger holds, what the meter was told and what the invoice charges are one number, whatever comes late, twice or not
at all."""

import os
import random
import time
from decimal import Decimal

import pytest

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


def begin(money, **plan):
    """Somebody with a plan, whose first period ends about half an hour ago; Stripe's clock stands just before that end."""
    money.clock(month_ago(time.time() - 1800))
    plan = money.plan(**plan)
    whose = money.organization()
    whose["plan"], whose["subscription"] = plan, money.subscribe(whose, plan)
    whose["start"], whose["end"] = money.sql("""select extract(epoch from current_period_start)::bigint as a, extract(epoch from current_period_end)::bigint as b
                                                  from subscriptions where external_id = %s""", whose["subscription"])[0]
    money.clock(whose["end"] - 60)
    return whose


def renewal(money, whose, number=0):
    """The draft that Stripe has made when the period was over."""
    found = [i for i in money.stripe("GET", "invoices", customer=whose["customer"], limit=100)["data"] if i["billing_reason"] == "subscription_cycle"]
    assert len(found) == number + 1, found
    return found[0]["id"]


def overage_of(money, whose, invoice):
    """How many seconds an invoice charges, and what for them."""
    lines = [x for x in money.stripe("GET", f"invoices/{invoice}")["lines"]["data"] if x["pricing"]["price_details"]["price"] == whose["plan"]["overage"]]
    return sum(x["quantity"] for x in lines), sum(x["amount"] for x in lines)


def ledger(money, whose, start, end):
    """The ledger's seconds, and those beyond the plan, of a period."""
    return tuple(int(x) for x in money.sql("""select coalesce(sum(billable), 0) as a, coalesce(sum(overage), 0) as b from usage_entries
        where organization_id = %s and kind = 'seconds' and billed_at >= to_timestamp(%s) and billed_at < to_timestamp(%s)""", whose["id"], start, end)[0])


def told(money, whose, start, end):
    """What was told to the meter for a period, by our books."""
    return int(money.value("""select coalesce(sum(quantity), 0) from usage_reports
        where organization_id = %s and state = 'sent' and told_at >= to_timestamp(%s) and told_at < to_timestamp(%s)""", whose["id"], start, end))


def test_a_quiet_period_is_closed_invoiced_and_told(money):
    whose = begin(money, minutes=10)
    money.calls(whose, [(whose["end"] - 300, 500), (whose["end"] - 200, 175)])
    money.fold()
    money.clock(whose["end"] + 60)
    invoice = renewal(money, whose)
    money.read("subscription", whose["subscription"])
    money.read("invoice", invoice)
    money.work(lambda: money.settled(WORKFLOWS) and money.settled(["mail"]))
    run = money.run(f"billing-cycle:{invoice}")
    assert run["state"] == "done", run
    assert overage_of(money, whose, invoice) == (75, 8)  # 75 s at 6 cents a minute: 7.5
    assert money.stripe("GET", f"invoices/{invoice}")["status"] == "paid"
    assert money.value("select status from invoices where external_id = %s", invoice) in ("open", "paid")
    closed = money.value("select metadata from billing_events where event_type = 'period_closed' and organization_id = %s", whose["id"])
    assert (closed["calls"], closed["total_minutes"], closed["overage_minutes"], closed["overage_cost_cents"]) == (2, 11.25, 1.25, 8)
    mail, = money.sandbox.mails(whose["mail"])
    assert "made 2 calls" in mail["text"] and "0.08 USD" in mail["text"], mail["text"]
    assert money.sql("select kind, ours, theirs from billing_differences where resolved_at is null") == []


def shaken(seed, n, start, end):
    """Calls that end around a boundary: (unix time of the end, seconds), many of them within the second itself."""
    r = random.Random(seed)
    edge = [end - 1e-6, end, end - 0.999999, end - 1, end + 0.5, end + 1]
    return [(edge[k] if k < len(edge) else max(start, end + round(r.uniform(-1200, 1200), 6)), r.choice([0, 1, 59, 60, 61, r.randrange(1, 900)]))
            for k in range(n)]


def test_ledger_meter_and_invoice_agree_whatever_happens(money, full):
    n, r = 10000 if full else 1000, random.Random(7)
    whose = begin(money, minutes=n)
    calls = shaken(7, n, whose["start"], whose["end"])
    seconds_before = sum(s for at, s in calls if at < whose["end"])
    money.sql("update subscription_plans set minutes_limit = %s where id = %s", seconds_before // 60 * 2 // 5, whose["plan"]["id"])
    included = seconds_before // 60 * 2 // 5 * 60
    early = [c for c in calls if c[0] < whose["end"] and r.random() < 0.8]
    late = [c for c in calls if c[0] < whose["end"] and c not in early]
    after = [c for c in calls if c[0] >= whose["end"]]
    in_time, too_late = late[::2], late[1::2]

    # While the period lasts: answers of the meter are lost, some refused for now, and for a while Stripe is away.
    money.clock(whose["end"] - 1)
    money.sandbox.rule({"answer": "reset", "accept": True}, provider="stripe", operation="create", type="billing/meter_events", times=10)
    money.sandbox.rule({"answer": "cut", "accept": True}, provider="stripe", operation="create", type="billing/meter_events", times=10)
    money.sandbox.rule({"status": 429}, provider="stripe", operation="create", type="billing/meter_events", times=10)
    r.shuffle(early)
    for part in range(0, len(early), 200):
        money.calls(whose, early[part:part + 200])
        money.fold()
    pump = money.begin()
    wait_until(lambda: money.value("select count(*) from usage_reports where state = 'sent'"), what="a report")
    money.sandbox.rule({"status": 503}, provider="stripe")
    money.calls(whose, in_time[::2])
    money.fold()
    wait_until(lambda: money.value("select count(*) from workflow_steps where step = 'tell' and state = 'unknown'"), what="trouble")
    money.sandbox.clear_rules()
    money.end(pump)

    # It is over; the draft is told of three times, and some calls are learnt of before it is closed, others after that.
    money.clock(whose["end"] + 1500)
    invoice = renewal(money, whose)
    with money.sandbox.holding("before", provider="stripe", operation="update", type=f"invoices/{invoice}"):
        pump = money.begin()
        money.read("subscription", whose["subscription"])
        for _ in range(3):
            money.read("invoice", invoice)
        wait_until(money.sandbox.held, what="the draft being held")
        money.calls(whose, in_time[1::2])
        money.calls(whose, after[::2])
        money.fold()
    wait_until(lambda: money.value("select state from usage_periods where period_end = to_timestamp(%s)", whose["end"]) == "final", what="the end")
    money.calls(whose, too_late)
    money.calls(whose, after[1::2])
    money.fold()
    money.end(pump)
    money.work(lambda: money.settled(WORKFLOWS))
    assert money.run(f"billing-cycle:{invoice}")["state"] == "done"

    # The period that is over: ledger, reports, meter, invoice.
    expected = sum(s for _, s in early + in_time) - included
    assert expected > 0
    assert ledger(money, whose, whose["start"], whose["end"]) == (expected + included, expected)
    assert told(money, whose, whose["start"], whose["end"]) == expected
    quantity, amount = overage_of(money, whose, invoice)
    assert quantity == expected
    assert abs(Decimal(amount) - Decimal(expected) * 6 / 60) <= Decimal("0.5")
    # What came too late is in the next one, marked, and counted with what came there.
    assert money.value("select count(*) from usage_entries where carried and kind = 'calls'") == len(too_late)
    whose["next"] = money.value("select extract(epoch from current_period_end)::bigint from subscriptions where external_id = %s", whose["subscription"])
    beyond = max(0, sum(s for _, s in too_late + after) - included)
    assert ledger(money, whose, whose["end"], whose["next"]) == (sum(s for _, s in too_late + after), beyond)
    assert told(money, whose, whose["end"], whose["next"]) == beyond
    # The meter was told each once.
    meter = money.seen()["meters"][EVENT][whose["customer"]]
    assert (meter["value"], meter["events"]) == (expected + beyond, meter["identifiers"])
    money.clock(whose["next"] + 60)
    second = renewal(money, whose, 1)
    assert overage_of(money, whose, second)[0] == beyond
    assert money.sql("select kind, ours, theirs from billing_differences where resolved_at is null") == []
