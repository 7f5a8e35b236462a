"""The workflow "reconcile": our books against the sandbox's Stripe, page by page; what differs is found, mended by reading, and told.

No webhook reaches us here: whatever happens at Stripe is a difference until it is read.
"""

import pytest
from psycopg.types.json import Jsonb
from stack_money import EVENT, Money

OPEN = "select kind, external_id, ours, theirs from billing_differences where resolved_at is null order by kind, external_id"


@pytest.fixture(scope="module")
def money_of_file(tmp_path_factory):
    """workflow-pump, a database, and the sandbox's Stripe."""
    with Money(tmp_path_factory.mktemp("money")) as running:
        yield running


@pytest.fixture
def money(money_of_file):
    """The same, empty."""
    money_of_file.reset()
    return money_of_file


@pytest.fixture
def books(money):
    """A plan, and somebody who pays for it: our books and Stripe's are the same."""
    plan, whose = money.plan(), money.organization()
    whose["subscription"] = money.subscribe(whose, plan)
    invoice, = money.stripe("GET", "invoices", customer=whose["customer"])["data"]
    money.read("invoice", invoice["id"])
    return {"plan": plan, "whose": whose, "invoice": invoice["id"], "subscription": whose["subscription"]}


def reconcile(money, name):
    """A reconciliation, with all that it has read again."""
    run = f"reconcile:{name}"
    money.sql("select work_start(%s, 'reconcile')", run)
    money.work(lambda: money.value("select state from workflow_runs where id = %s", run) in ("done", "failed"))
    assert money.value("select state from workflow_runs where id = %s", run) == "done", money.run(run)
    return {kind for kind, _ in found(money)}


def found(money):
    """What still differs."""
    return [(d.kind, d.external_id) for d in money.sql(OPEN)]


def mended(money):
    """What differed, and was mended."""
    return [d.kind for d in money.sql("select kind from billing_differences where resolved_at is not null order by kind")]


def test_books_that_agree_say_nothing(money, books):
    assert reconcile(money, "first") == set() and money.count("billing_differences") == 0
    assert money.count("subscriptions", "reconciled_at is not null") == 1 and money.count("invoices", "reconciled_at is not null") == 1
    assert money.value("select seen from webhook_counts where type = 'reconciled'") == 1


def test_what_happened_at_stripe_without_our_knowing_is_found_and_mended(money, books):
    other = money.plan("test-other", price=9900, rank=60)
    item = money.value("select item_id from subscriptions where external_id = %s", books["subscription"])
    money.stripe("POST", f"subscriptions/{books['subscription']}", cancel_at_period_end="true", proration_behavior="always_invoice",
                 **{"items__0__id": item, "items__0__price": other["base"]})
    assert reconcile(money, "changed") == set()
    assert mended(money) == ["invoice_missing", "subscription_cancel", "subscription_plan"]
    row = money.sql("select plan_id, cancel_at_period_end, current from subscriptions where external_id = %s", books["subscription"])[0]
    assert (row.plan_id, row.cancel_at_period_end, row.current) == (other["id"], True, True)
    assert money.count("invoices", "status = 'paid'") == 2
    money.stripe("DELETE", f"subscriptions/{books['subscription']}")
    assert reconcile(money, "gone") == set()
    assert mended(money) == ["invoice_missing", "subscription_cancel", "subscription_gone", "subscription_plan"]
    assert money.value("select status from subscriptions where external_id = %s", books["subscription"]) == "canceled"


def test_rows_of_ours_that_somebody_changed_are_mended(money, books):
    money.sql("""update subscriptions set status = 'active', external_status = 'past_due', current_period_end = current_period_end + interval '1 year',
                 external_price_id = 'price_x' where external_id = %s""", books["subscription"])
    money.sql("update invoices set status = 'open', amount_paid_cents = 0, total_cents = 1 where external_id = %s", books["invoice"])
    assert reconcile(money, "mends") == set()
    assert mended(money) == ["invoice_amount", "invoice_status", "subscription_period", "subscription_plan", "subscription_status"]
    row = money.sql("select ours, theirs from billing_differences where kind = 'invoice_amount'")[0]
    assert (row.ours["total"], row.theirs["total"], row.theirs["amount_paid"]) == (1, 2900, 2900)
    assert money.value("select total_cents from invoices where external_id = %s", books["invoice"]) == 2900
    assert reconcile(money, "again") == set() and len(mended(money)) == 5, "once mended it is quiet"


def test_strangers_and_unknown_prices_stay_until_somebody_looks(money, books):
    stranger = money.stripe("POST", "customers", email="who@example.com")["id"]
    money.control(f"customers/{stranger}", card="good")
    theirs = money.stripe("POST", "subscriptions", customer=stranger, items__0__price=books["plan"]["base"])["id"]
    money.sql("delete from plan_prices where price_id = %s", books["plan"]["base"])
    money.read("subscription", books["subscription"])
    kinds = reconcile(money, "odd")
    assert kinds == {"stranger", "unknown_price"} and ("stranger", theirs) in found(money) and ("unknown_price", books["subscription"]) in found(money)
    assert money.value("select plan_id from subscriptions where external_id = %s", books["subscription"]) is None, "it opens nothing"
    money.sql("insert into plan_prices (provider, price_id, plan_id) values ('stripe', %s, %s)", books["plan"]["base"], books["plan"]["id"])
    assert reconcile(money, "known") == {"stranger"}
    assert money.value("select plan_id from subscriptions where external_id = %s", books["subscription"]) == books["plan"]["id"]
    assert money.value("select seen from billing_differences where kind = 'stranger' and external_id = %s", theirs) == 2
    money.stripe("DELETE", f"subscriptions/{theirs}")
    money.sql("update organizations set stripe_customer_id = stripe_customer_id")
    assert "stranger" in reconcile(money, "still"), "its invoice is there"


def test_what_is_on_many_pages_is_all_compared(money, books):
    """Ours are the oldest, and so on the last page of more than a hundred strangers'."""
    stranger = money.stripe("POST", "customers", email="who@example.com")["id"]
    money.control(f"customers/{stranger}", card="good")
    for _ in range(101):
        money.stripe("POST", "subscriptions", customer=stranger, items__0__price=books["plan"]["base"])
    money.sql("delete from invoices")
    money.sql("update subscriptions set external_price_id = 'price_x' where external_id = %s", books["subscription"])
    assert reconcile(money, "many") == {"stranger"}
    assert money.count("billing_differences", "kind = 'stranger' and resolved_at is null") == 202, "subscriptions and invoices"
    assert mended(money) == ["invoice_missing", "subscription_plan"] and money.count("invoices") == 1
    assert money.value("select generation from workflow_runs where id = 'reconcile:many'") > 8, "each page is a step"


def test_the_key_of_another_account_mends_nothing(money, books):
    money.sql("""insert into subscriptions (organization_id, plan_id, origin, external_id, external_status, status, current, current_period_end)
                 select organization_id, plan_id, origin, external_id || n, external_status, status, false, current_period_end
                   from subscriptions, generate_series(1, 10) n where origin = 'stripe'""")
    money.sandbox.reset()
    assert reconcile(money, "other") == {"other_account"}
    assert money.value("select status from subscriptions where external_id = %s", books["subscription"]) == "active"
    assert money.value("select count(*) from workflow_runs where workflow = 'stripe-sync' and id like 'stripe-sync:reconcile%%'") == 0


def test_what_the_meter_lacks_is_found(money, books):
    whose = books["whose"]
    start = money.value("select extract(epoch from current_period_start)::bigint from subscriptions where external_id = %s", books["subscription"])
    entry = """insert into usage_reports (identifier, organization_id, entry_id, call_id, subscription_id, customer_id, event_name, quantity,
                                          occurred_at, told_at, state, sent_at)
               select %s, s.organization_id, gen_random_uuid(), gen_random_uuid(), s.id, %s, %s, 90, to_timestamp(%s), to_timestamp(%s), 'sent',
                      now() - interval '1 hour' from subscriptions s where s.external_id = %s"""
    at = start - start % 60
    for name in ("told", "lost"):
        money.sql(entry, name, whose["customer"], EVENT, at, at, books["subscription"])
    money.sql("update subscriptions set current_period_start = current_period_start - interval '1 hour'")
    money.sql("update usage_reports set told_at = told_at - interval '10 minutes', occurred_at = occurred_at - interval '10 minutes'")
    money.stripe("POST", "billing/meter_events", event_name=EVENT, identifier="told", timestamp=at - 600, payload__stripe_customer_id=whose["customer"], payload__value="90")
    kinds = reconcile(money, "meter")
    assert "usage_meter" in kinds, found(money)
    row = money.sql("select ours, theirs from billing_differences where kind = 'usage_meter'")[0]
    assert (row.ours["seconds"], row.theirs["seconds"]) == (180, 90)
    money.stripe("POST", "billing/meter_events", event_name=EVENT, identifier="lost", timestamp=at - 600, payload__stripe_customer_id=whose["customer"], payload__value="90")
    money.sql("update subscriptions set current_period_start = current_period_start - interval '1 hour'")
    assert "usage_meter" not in reconcile(money, "told")


def test_a_stripe_that_fails_for_a_while_is_asked_again(money, books):
    money.sandbox.rule({"status": 500}, provider="stripe", operation="list")
    money.sql("select work_start('reconcile:late', 'reconcile')")
    money.work(lambda: money.value("select reason from workflow_steps where run_id = 'reconcile:late'"))
    money.sandbox.clear_rules()
    money.work(lambda: money.value("select state from workflow_runs where id = 'reconcile:late'") == "done")
    assert money.count("billing_differences") == 0


def test_a_refund_that_no_event_told_of_is_found(money, books):
    charge, = money.stripe("GET", "charges", customer=books["whose"]["customer"])["data"]
    money.control(f"charges/{charge['id']}", refund=900)
    assert reconcile(money, "first") == set() and mended(money) == ["refund_missing"]
    assert money.value("select refunded_cents from invoices where external_id = %s", books["invoice"]) == 900
    money.sql("update billing_events set created_at = created_at - interval '1 hour' where event_type = 'refunded'")
    money.control(f"charges/{charge['id']}", refund=100)
    assert reconcile(money, "more") == set() and mended(money) == ["refund_missing"] * 2
    assert money.value("select refunded_cents from invoices where external_id = %s", books["invoice"]) == 1000
    assert reconcile(money, "quiet") == set() and len(mended(money)) == 2


def test_what_was_written_down_when_it_happened_is_closed_when_it_agrees(money, books):
    whose, invoice, sub = books["whose"], books["invoice"], books["subscription"]
    end = money.value("select extract(epoch from current_period_start)::bigint from subscriptions where external_id = %s", sub) + 1
    money.calls(whose, [(end, 700)])
    money.fold()
    report, = [r.identifier for r in money.sql("select identifier from usage_reports")]
    said = [("usage_untold", invoice), ("usage_refused", report), ("usage_overtold", report), ("invoice_usage", invoice), ("overage_item", sub),
            ("unknown_currency", invoice)]
    money.sql("update invoices set lines = '[]', period_start = to_timestamp(%s), period_end = to_timestamp(%s) where external_id = %s", end, end + 60, invoice)
    money.sql("update usage_reports set state = 'refused'")
    money.sql("update subscriptions set overage_price_id = 'price_x' where external_id = %s", sub)
    for kind, external in said:
        money.sql("select billing_differ('stripe', %s, %s, %s, null, null)", kind, external, whose["id"])
    kinds = lambda: {k for k, e in found(money) if (k, e) in said}
    reconcile(money, "first")
    assert kinds() == {"usage_refused", "usage_overtold", "overage_item"}, "what does not agree stays, however old"
    money.sql("update usage_reports set state = 'pending', told_at = to_timestamp(%s)", end)
    money.sql("update usage_entries set billed_at = to_timestamp(%s) where kind = 'seconds'", end)
    money.sql("select billing_differ('stripe', 'usage_untold', %s, %s, null, null)", invoice, whose["id"])
    reconcile(money, "waits")
    assert "usage_untold" in kinds()
    money.sql("update usage_reports set state = 'sent'")
    money.sql("select billing_differ('stripe', 'invoice_usage', %s, %s, null, null)", invoice, whose["id"])
    money.sql("update subscriptions set overage_price_id = %s where external_id = %s", books["plan"]["overage"], sub)
    reconcile(money, "second")
    assert kinds() == {"invoice_usage"}, "the invoice charges less than what was told"
    money.sql("update invoices set lines = %s where external_id = %s", Jsonb([{"price": books["plan"]["overage"], "quantity": 100, "amount": 10}]), invoice)
    reconcile(money, "third")
    assert kinds() == set()
