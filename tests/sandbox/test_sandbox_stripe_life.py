"""Subscriptions at the sandbox's Stripe live by its clock: trials, renewals, prorations to the cent, failed payments, ends."""
from datetime import datetime, timezone

import pytest

from stripe_helpers import DAY, MARCH, Client

HOUR = 3600


def at(*when):
    """A time, UTC."""
    return int(datetime(*when, tzinfo=timezone.utc).timestamp())


@pytest.fixture(name="stripe")
def _stripe(box, receiver):
    box.settings(stripe_webhook_url=receiver.url)
    box.stripe_clock(to=MARCH)
    return Client(box, receiver)


def period(sub, item=0):
    """The period of an item."""
    item = sub["items"]["data"][item]
    return item["current_period_start"], item["current_period_end"]


def again(stripe, sub, to):
    """The subscription when the clock stands there."""
    stripe.box.stripe_clock(to=to)
    return stripe.get("subscriptions/" + sub["id"])


def amounts(inv):
    """The amounts of an invoice's lines."""
    return [line["amount"] for line in inv["lines"]["data"]]


# ---- the calendar ----------------------------------------------------------


def test_a_month_that_began_on_the_31st_ends_with_shorter_months(stripe, box):
    begun = at(2027, 1, 31, 10)
    box.stripe_clock(to=begun)
    sub = stripe.bought(stripe.customer(), stripe.price())
    assert period(sub)[1] == at(2027, 2, 28, 10) + period(sub)[0] - begun
    for end in ((2027, 3, 31), (2027, 4, 30), (2027, 5, 31)):
        sub = again(stripe, sub, period(sub)[1])
        assert datetime.fromtimestamp(period(sub)[1], timezone.utc).timetuple()[:3] == end
    assert len(stripe.invoices(sub)) == 4 and box.stripe()["charges"] == 3, "the last is a draft"


def test_years_and_leap_days(stripe, box):
    box.stripe_clock(to=at(2028, 2, 29, 8))
    sub = stripe.bought(stripe.customer(), stripe.price(50000, interval="year"))
    assert datetime.fromtimestamp(period(sub)[1], timezone.utc).timetuple()[:3] == (2029, 2, 28)
    for year in range(2029, 2032):
        sub = again(stripe, sub, period(sub)[1])
    assert datetime.fromtimestamp(period(sub)[1], timezone.utc).timetuple()[:3] == (2032, 2, 29)


def test_the_clock_goes_forward_only(stripe, box):
    stripe.customer()
    answer = box.http.post(f"{box.url}/_sandbox/stripe/clock", json={"to": MARCH - DAY}, timeout=20)
    assert answer.status_code == 400 and "forward" in answer.json()["error"]


# ---- renewals --------------------------------------------------------------


def test_a_renewal_is_a_draft_for_an_hour_and_counts_what_is_told_until_then(stripe, box):
    customer, meter = stripe.customer(), stripe.meter()
    sub = stripe.bought(customer, stripe.price(), stripe.metered(meter, "12.5"))
    end = period(sub)[1]
    stripe.used(customer, 7, "in")
    box.stripe_clock(to=end + 60)
    draft = stripe.invoices(sub)[-1]
    assert (draft["status"], draft["billing_reason"], draft["total"]) == ("draft", "subscription_cycle", 4900 + 88)
    assert draft["automatically_finalizes_at"] == end + HOUR
    stripe.used(customer, 4, "late", timestamp=end - 1)
    stripe.used(customer, 9, "next", timestamp=end)
    assert stripe.get("invoices/" + draft["id"])["total"] == 4900 + 138, "137.5 cents are 138"
    box.stripe_clock(to=end + HOUR + 1)
    stripe.used(customer, 3, "too late", timestamp=end - 1)
    paid = stripe.get("invoices/" + draft["id"])
    assert (paid["status"], paid["amount_paid"], paid["period_end"]) == ("paid", 5038, end)
    assert [line["quantity"] for line in paid["lines"]["data"]] == [1, 11]
    assert box.stripe()["charged"] == {customer["id"]: 4900 + 5038}
    again(stripe, sub, period(stripe.get("subscriptions/" + sub["id"]))[1] + 2 * HOUR)
    assert stripe.invoices(sub)[-1]["total"] == 4900 + 113, "what came in the next period is in its invoice, once"


def test_a_draft_that_is_held_back_waits_to_be_finalized(stripe, box):
    sub = stripe.bought(stripe.customer(), stripe.price())
    box.stripe_clock(to=period(sub)[1] + 60)
    draft = stripe.invoices(sub)[-1]["id"]
    stripe.post("invoices/" + draft, auto_advance="false", **{"metadata[flushed]": "no"})
    box.stripe_clock(advance=DAY)
    assert stripe.get("invoices/" + draft)["status"] == "draft"
    assert stripe.post(f"invoices/{draft}/finalize", auto_advance="true")["status"] == "paid"
    assert stripe.refused("POST", f"invoices/{draft}/finalize", 400)["code"] == "invoice_not_editable"


def test_a_trial_is_announced_three_days_before_it_ends(stripe, box):
    sub = stripe.bought(stripe.customer(), stripe.price(), **{"subscription_data[trial_period_days]": 14})
    session = stripe.get("checkout/sessions")["data"][0]
    assert (sub["status"], session["payment_status"], session["amount_total"]) == ("trialing", "no_payment_required", 0)
    assert box.stripe()["charges"] == 0 and stripe.invoices(sub)[0]["total"] == 0
    box.stripe_clock(to=sub["trial_end"] - 3 * DAY - 600)
    assert stripe.events("customer.subscription.trial_will_end") == []
    box.stripe_clock(advance=1200)
    assert len(stripe.events("customer.subscription.trial_will_end")) == 1
    sub = again(stripe, sub, sub["trial_end"] + 2 * HOUR)
    assert sub["status"] == "active" and box.stripe()["charges"] == 1
    assert period(sub)[0] == sub["trial_end"] == sub["billing_cycle_anchor"]


@pytest.mark.parametrize("how, status", (("pause", "paused"), ("cancel", "canceled"), ("create_invoice", "past_due")))
def test_a_trial_without_a_card_ends_as_its_settings_say(stripe, box, how, status):
    customer, price = stripe.customer(), stripe.price()
    sub = stripe.bought(customer, price, payment_method_collection="if_required", **{
        "subscription_data[trial_period_days]": 7,
        "subscription_data[trial_settings][end_behavior][missing_payment_method]": how})
    sub = again(stripe, sub, sub["trial_end"] + 2 * HOUR)
    assert sub["status"] == status and box.stripe()["charges"] == 0
    if how == "pause":
        assert len(stripe.events("customer.subscription.paused")) == 1
        box.stripe_do("customers", customer["id"], card="good")
        assert stripe.post(f"subscriptions/{sub['id']}/resume")["status"] == "active"
        assert len(stripe.events("customer.subscription.resumed")) == 1 and box.stripe()["charges"] == 1


# ---- changes ---------------------------------------------------------------


def change(sub, price, **more):
    """The parameters that replace the first item's price."""
    return {"items[0][id]": sub["items"]["data"][0]["id"], "items[0][price]": price["id"], **more}


def preview(stripe, sub, price, how):
    """What a change would cost."""
    return stripe.post("invoices/create_preview", subscription=sub["id"], **{
        "subscription_details[items][0][id]": sub["items"]["data"][0]["id"],
        "subscription_details[items][0][price]": price["id"], "subscription_details[proration_behavior]": how})


@pytest.mark.parametrize("currency, small, large, days, credit, charge", (
    ("usd", 4900, 9900, 10, -3319, 6706), ("usd", 4900, 9900, 30, -158, 319), ("jpy", 500, 1200, 11, -323, 774)))
def test_an_upgrade_is_prorated_by_seconds(stripe, box, currency, small, large, days, credit, charge):
    customer, product = stripe.customer(), stripe.product()["id"]
    small, large = (stripe.price(n, product, currency=currency) for n in (small, large))
    sub = stripe.bought(customer, small)
    box.stripe_clock(to=period(sub)[0] + days * DAY)
    shown = preview(stripe, sub, large, "always_invoice")
    assert amounts(shown) == [credit, charge] and shown["amount_due"] == credit + charge and shown["currency"] == currency
    assert shown["id"].startswith("upcoming_") and len(stripe.invoices(sub)) == 1, "nothing is made"
    changed = stripe.post("subscriptions/" + sub["id"], **change(sub, large, proration_behavior="always_invoice"))
    made = stripe.get("invoices/" + changed["latest_invoice"])
    assert amounts(made) == amounts(shown) and (made["status"], made["billing_reason"]) == ("paid", "subscription_update")
    assert period(changed) == period(sub) and changed["items"]["data"][0]["id"] == sub["items"]["data"][0]["id"]


def test_prorations_wait_for_the_next_invoice_unless_asked(stripe, box):
    product = stripe.product()["id"]
    small, large = stripe.price(4900, product), stripe.price(9900, product)
    sub = stripe.bought(stripe.customer(), small)
    box.stripe_clock(to=period(sub)[0] + 10 * DAY)
    shown = preview(stripe, sub, large, "create_prorations")
    assert amounts(shown) == [-3319, 6706, 9900]
    stripe.post("subscriptions/" + sub["id"], **change(sub, large))
    assert len(stripe.invoices(sub)) == 1
    again(stripe, sub, period(sub)[1] + 2 * HOUR)
    assert amounts(stripe.invoices(sub)[-1]) == [-3319, 6706, 9900] and stripe.invoices(sub)[-1]["status"] == "paid"


def test_a_downgrade_at_once_is_credit_for_the_next_invoices(stripe, box):
    customer, product = stripe.customer(), stripe.product()["id"]
    small, large = stripe.price(4900, product), stripe.price(9900, product)
    sub = stripe.bought(customer, large)
    box.stripe_clock(to=period(sub)[0] + 10 * DAY)
    stripe.post("subscriptions/" + sub["id"], **change(sub, small, proration_behavior="always_invoice"))
    assert stripe.get("customers/" + customer["id"])["balance"] == -6706 + 3319
    again(stripe, sub, period(sub)[1] + 2 * HOUR)
    last = stripe.invoices(sub)[-1]
    assert (last["total"], last["amount_paid"], last["starting_balance"], last["ending_balance"]) == (4900, 4900 - 3387, -3387, 0)
    assert box.stripe()["charged"] == {customer["id"]: 9900 + 4900 - 3387}


def test_no_proration_means_the_new_price_from_the_next_period(stripe, box):
    product = stripe.product()["id"]
    sub = stripe.bought(stripe.customer(), stripe.price(9900, product))
    small = stripe.price(4900, product)
    stripe.post("subscriptions/" + sub["id"], **change(sub, small, proration_behavior="none"))
    again(stripe, sub, period(sub)[1] + 2 * HOUR)
    assert [i["total"] for i in stripe.invoices(sub)] == [9900, 4900]


def test_from_months_to_years_a_period_begins_at_once(stripe, box):
    product = stripe.product()["id"]
    month, year = stripe.price(4900, product), stripe.price(49000, product, "year")
    sub = stripe.bought(stripe.customer(), month)
    box.stripe_clock(to=period(sub)[0] + 10 * DAY)
    changed = stripe.post("subscriptions/" + sub["id"], **change(sub, year))
    made = stripe.get("invoices/" + changed["latest_invoice"])
    assert amounts(made) == [-3319, 49000] and made["status"] == "paid"
    assert period(changed)[1] - period(changed)[0] == 365 * DAY


def test_a_change_that_cannot_be_paid_changes_nothing(stripe, box):
    customer, product = stripe.customer(), stripe.product()["id"]
    small, large = stripe.price(4900, product), stripe.price(9900, product)
    sub = stripe.bought(customer, small)
    box.stripe_do("customers", customer["id"], card="declines")
    before = stripe.get("subscriptions/" + sub["id"])
    asked = change(sub, large, proration_behavior="always_invoice")
    error = stripe.refused("POST", "subscriptions/" + sub["id"], 402, payment_behavior="error_if_incomplete", **asked)
    assert (error["type"], error["code"]) == ("card_error", "card_declined")
    assert stripe.get("subscriptions/" + sub["id"]) == before and len(stripe.invoices(sub)) == 1
    assert stripe.post("subscriptions/" + sub["id"], **asked)["status"] == "past_due"
    assert stripe.invoices(sub)[-1]["status"] == "open"


def test_wrong_items_are_refused(stripe):
    sub = stripe.bought(stripe.customer(), stripe.price())
    yen = stripe.price(500, currency="jpy")
    for given, param in (({"items[0][id]": "si_none"}, "items[0][id]"), (change(sub, {"id": "price_none"}), "items[0][price]"),
                         (change(sub, yen), "items[0][price]"), ({"metadata[a]": "b", **change(sub, yen), "items[0][price]": sub[
                             "items"]["data"][0]["price"]["id"], "items[0][deleted]": "true"}, "items"),
                         ({"metadata[a]": "b", "cancel_at": MARCH}, "cancel_at"), ({"proration_date": MARCH - 1}, "proration_date"),
                         ({"proration_behavior": "perhaps"}, "proration_behavior"), ({"cancel_at": MARCH}, "cancel_at")):
        assert stripe.refused("POST", "subscriptions/" + sub["id"], 400, **given)["param"] == param
    assert stripe.get("subscriptions/" + sub["id"]) == sub


def test_a_second_item_is_added_where_no_item_is_named(stripe):
    sub = stripe.bought(stripe.customer(), stripe.price())
    changed = stripe.post("subscriptions/" + sub["id"], **{"items[0][price]": stripe.price(1000)["id"]})
    assert [i["price"]["unit_amount"] for i in changed["items"]["data"]] == [4900, 1000]
    assert stripe.get("subscription_items", subscription=sub["id"])["data"] == changed["items"]["data"]


@pytest.mark.parametrize("mode, how, waiting, later", (
    ("flexible", "create_prorations", [120], 60), ("flexible", "none", [], 60), ("classic", "create_prorations", [], 60)))
def test_another_price_counts_from_then_on_and_what_was_told_is_billed_if_asked(stripe, box, mode, how, waiting, later):
    customer, meter = stripe.customer(), stripe.meter()
    old, new = stripe.metered(meter, "12"), stripe.metered(meter, "20")
    sub = stripe.bought(customer, old, **{"subscription_data[billing_mode][type]": mode})
    box.stripe_clock(to=period(sub)[0] + 10 * DAY)
    stripe.used(customer, 10, "before")
    box.stripe_clock(advance=60)
    shown = preview(stripe, sub, new, how)
    stripe.post("subscriptions/" + sub["id"], **change(sub, new, proration_behavior=how))
    box.stripe_clock(advance=DAY)
    stripe.used(customer, 3, "after")
    again(stripe, sub, period(sub)[1] + 2 * HOUR)
    assert amounts(stripe.invoices(sub)[-1]) == [*waiting, later] and amounts(shown) == [*waiting, 0]
    stripe.post("subscriptions/" + sub["id"], **change(sub, old, proration_behavior="always_invoice"))
    assert len(stripe.invoices(sub)) == 2, "nothing was used, so nothing is billed"


def test_a_price_that_is_added_counts_from_then_on(stripe, box):
    customer, meter = stripe.customer(), stripe.meter()
    sub = stripe.bought(customer, stripe.price())
    box.stripe_clock(to=period(sub)[0] + 10 * DAY)
    stripe.used(customer, 10, "before", timestamp=period(sub)[0] + DAY)
    stripe.post("subscriptions/" + sub["id"], **{"items[0][price]": stripe.metered(meter)["id"]})
    stripe.used(customer, 3, "after")
    again(stripe, sub, period(sub)[1] + 2 * HOUR)
    assert amounts(stripe.invoices(sub)[-1]) == [4900, 36]


# ---- ends ------------------------------------------------------------------


def test_it_ends_with_its_period_and_what_was_used_is_billed(stripe, box):
    customer, meter = stripe.customer(), stripe.meter()
    sub = stripe.bought(customer, stripe.price(), stripe.metered(meter))
    asked = stripe.post("subscriptions/" + sub["id"], cancel_at_period_end="true")
    assert (asked["status"], asked["cancel_at"], asked["canceled_at"] >= MARCH) == ("active", period(sub)[1], True)
    kept = stripe.post("subscriptions/" + sub["id"], cancel_at_period_end="false")
    assert (kept["cancel_at"], kept["canceled_at"]) == (None, None)
    stripe.post("subscriptions/" + sub["id"], cancel_at_period_end="true")
    stripe.used(customer, 10, "last")
    ended = again(stripe, sub, period(sub)[1] + 2 * HOUR)
    assert (ended["status"], ended["ended_at"]) == ("canceled", period(sub)[1])
    assert [i["total"] for i in stripe.invoices(sub)] == [4900, 120] and box.stripe()["charges"] == 2
    assert len(stripe.events("customer.subscription.deleted")) == 1
    assert stripe.get("subscriptions", customer=customer["id"])["data"] == []
    assert stripe.get("subscriptions", customer=customer["id"], status="all")["data"] == [ended]


def test_it_ends_at_once_with_credit_when_asked(stripe, box):
    customer = stripe.customer()
    sub = stripe.bought(customer, stripe.price())
    box.stripe_clock(to=period(sub)[0] + 10 * DAY)
    assert stripe.delete("subscriptions/" + sub["id"], prorate="true", invoice_now="true")["status"] == "canceled"
    assert stripe.get("customers/" + customer["id"])["balance"] == -3319
    assert stripe.refused("DELETE", "subscriptions/" + sub["id"], 404)["code"] == "resource_missing"
    assert stripe.refused("POST", "subscriptions/" + sub["id"], 400, cancel_at_period_end="true")
    box.stripe_clock(advance=60 * DAY)
    assert len(stripe.invoices(sub)) == 2, "nothing is renewed"


# ---- failed payments -------------------------------------------------------


@pytest.mark.parametrize("how, status", (("cancel", "canceled"), ("unpaid", "unpaid"), ("past_due", "past_due")))
def test_a_failed_renewal_is_tried_again_and_then_given_up(stripe, box, how, status):
    box.settings(stripe_retries_end=how)
    customer = stripe.customer()
    sub = stripe.bought(customer, stripe.price())
    box.stripe_do("customers", customer["id"], card="declines")
    end = period(sub)[1]
    assert again(stripe, sub, end + 2 * HOUR)["status"] == "past_due"
    failed = stripe.invoices(sub)[-1]
    assert (failed["attempt_count"], failed["next_payment_attempt"]) == (1, end + HOUR + 3 * DAY)
    assert stripe.get("customers/" + customer["id"])["delinquent"] is True
    assert again(stripe, sub, end + HOUR + 8 * DAY + 60)["status"] == "past_due"
    assert stripe.invoices(sub)[-1]["attempt_count"] == 3
    assert again(stripe, sub, end + HOUR + 15 * DAY + 60)["status"] == status
    last = stripe.invoices(sub)[-1]
    assert (last["status"], last["attempt_count"], last["next_payment_attempt"]) == ("open", 4, None)
    assert len(stripe.events("invoice.payment_failed")) == 4 and box.stripe()["failed_charges"] == 4


def test_a_good_card_recovers_at_the_next_attempt_or_when_paid(stripe, box):
    for n in range(2):
        customer = stripe.customer()
        sub = stripe.bought(customer, stripe.price())
        box.stripe_do("customers", customer["id"], card="declines")
        assert again(stripe, sub, period(sub)[1] + 2 * HOUR)["status"] == "past_due"
        box.stripe_do("customers", customer["id"], card="good")
        if n:
            box.stripe_clock(advance=3 * DAY)
        else:
            stripe.post(f"invoices/{stripe.invoices(sub)[-1]['id']}/pay")
        assert stripe.get("subscriptions/" + sub["id"])["status"] == "active"
        assert box.stripe()["charged"][customer["id"]] == 9800


def test_a_card_that_was_taken_away_pays_nothing(stripe, box):
    customer = stripe.customer()
    sub = stripe.bought(customer, stripe.price())
    box.stripe_do("customers", customer["id"], card="detached")
    assert again(stripe, sub, period(sub)[1] + 2 * HOUR)["status"] == "past_due"
    assert stripe.get("payment_methods", customer=customer["id"])["data"] == []
    voided = stripe.post(f"invoices/{stripe.invoices(sub)[-1]['id']}/void")
    assert voided["status"] == "void" and stripe.get("subscriptions/" + sub["id"])["status"] == "active"


def test_a_first_invoice_that_nobody_pays_expires_after_23_hours(stripe, box):
    customer = stripe.customer()
    box.stripe_do("customers", customer["id"], card="declines")
    sub = stripe.post("subscriptions", customer=customer["id"], **{"items[0][price]": stripe.price()["id"]})
    assert sub["status"] == "incomplete"
    assert again(stripe, sub, MARCH + 22 * HOUR)["status"] == "incomplete"
    assert again(stripe, sub, MARCH + 24 * HOUR)["status"] == "incomplete_expired"
    assert stripe.get("invoices/" + sub["latest_invoice"])["status"] == "void"
