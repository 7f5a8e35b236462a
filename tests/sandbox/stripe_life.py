"""The life of a subscription at Stripe: it begins, is paid or not, is renewed, and ends."""
import stripe_calendar as calendar
import stripe_invoices as invoices
import stripe_objects as objects
import stripe_payments as payments
from stripe_form import Refused, merge_metadata
from stripe_store import DAY

HOUR = 3600
ENDED = {"canceled", "incomplete_expired"}
TOLD = "customer.subscription.updated"


# ---- beginning -------------------------------------------------------------


def begin(store, customer, wanted, p, prepare):
    """A new subscription with its first invoice, which is final and not paid yet; wanted: prices and quantities;
    prepare: what is to be done with it first."""
    now = store.now()
    sub = objects.subscription(now, customer["id"], p)
    sub["metadata"] = merge_metadata({}, p.get("metadata") or {})
    sub["default_payment_method"] = p.get("default_payment_method")
    sub["currency"] = wanted[0][0]["currency"]
    sub["trial_end"] = p.get("trial_end") or (now + DAY * p["trial_period_days"] if p.get("trial_period_days") else None)
    sub["trial_start"] = now if sub["trial_end"] else None
    sub["billing_cycle_anchor"] = sub["trial_end"] or p.get("billing_cycle_anchor") or now
    for price, quantity in wanted:
        add_item(store, sub, price, quantity)
    customer["currency"] = customer["currency"] or sub["currency"]
    store.add(sub)
    prepare(sub)
    store.emit("customer.subscription.created", sub)
    inv = invoices.build(store, sub, invoices.ahead(store, sub, sub["items"]["data"]), "subscription_create")
    sub["latest_invoice"] = inv["id"]
    invoices.finalize(store, inv)
    wait(store, sub)
    store.schedule(now + 23 * HOUR, expire, sub["id"])
    if sub["trial_end"]:
        store.schedule(max(now, sub["trial_end"] - 3 * DAY), warn, sub["id"])
    return sub, inv


def add_item(store, sub, price, quantity):
    """One more item, in the period that the anchor gives it."""
    item = objects.subscription_item(store.now(), sub, price, quantity)
    set_period(store, sub, item)
    sub["items"]["data"].append(item)
    return item


def set_period(store, sub, item):
    """The period in which the clock stands now; of one that begins before the anchor, the trial or the stub up to it."""
    now, anchor = store.now(), sub["billing_cycle_anchor"]
    if now < anchor:
        item["_number"], item["current_period_start"], item["current_period_end"] = -1, now, anchor
        return
    item["_number"] = 0
    while calendar.period(anchor, item["price"]["recurring"], item["_number"])[1] <= now:
        item["_number"] += 1
    _fit(sub, item)


def step(sub, item):
    """The period after this one."""
    item["_number"] += 1
    _fit(sub, item)


def set_price(store, item, price, quantity):
    """The item has another price from now on, and counts from now on what that is for."""
    if price is not item["price"]:
        item["_since"] = store.now()
    item["price"], item["plan"] = price, objects.plan(price)
    item.pop("quantity", None)
    if not invoices.is_metered(price):
        item["quantity"] = quantity


def _fit(sub, item):
    item["current_period_start"], item["current_period_end"] = calendar.period(
        sub["billing_cycle_anchor"], item["price"]["recurring"], item["_number"])


def wait(store, sub):
    """Have the clock call at the end of each period."""
    for at in sorted({item["current_period_end"] for item in sub["items"]["data"]}):
        store.schedule(at, period_end, sub["id"])
    if sub["cancel_at"]:
        store.schedule(sub["cancel_at"], period_end, sub["id"])


def warn(store, ident):
    """Three days before a trial ends."""
    sub = store.objects[ident]
    if sub["status"] == "trialing" and sub["trial_end"] - store.now() <= 3 * DAY:
        store.emit("customer.subscription.trial_will_end", sub)


def expire(store, ident):
    """What was not paid in 23 hours never begins."""
    sub = store.objects[ident]
    if sub["status"] != "incomplete":
        return
    with store.changing(sub, TOLD):
        sub["status"], sub["ended_at"] = "incomplete_expired", store.now()
    inv = store.objects[sub["latest_invoice"]]
    if inv["status"] == "open":
        void(store, {}, inv["id"])


# ---- paying ----------------------------------------------------------------


def subscription(store, inv):
    """The subscription of an invoice, or None."""
    return store.objects.get(invoices.subscription_of(inv))


def collect(store, inv, method=None):
    """Try to have an invoice paid; answers how it went."""
    sub = subscription(store, inv)
    outcome = payments.attempt(store, inv, method or payments.method_for(store, inv, sub))
    conclude(store, inv, outcome)
    return outcome


def conclude(store, inv, outcome):
    """What follows from an attempt to have an invoice paid."""
    if inv["amount_remaining"] or outcome != "paid":
        inv["attempted"] = True
        inv["attempt_count"] += 1
    if outcome == "paid":
        _paid(store, inv)
    elif outcome == "failed":
        _failed(store, inv)


def _paid(store, inv):
    now, sub = store.now(), subscription(store, inv)
    inv["status"], inv["amount_paid"], inv["amount_remaining"] = "paid", inv["amount_due"], 0
    inv["auto_advance"], inv["next_payment_attempt"], inv["attempted"] = False, None, True
    inv["status_transitions"]["paid_at"] = now
    store.emit("invoice.paid", inv)
    store.emit("invoice.payment_succeeded", inv)
    others = [o for o in store.all("invoice") if o["status"] == "open" and invoices.subscription_of(o) == (sub or {}).get("id")]
    with store.changing(sub, TOLD) if sub else _nothing():
        if sub and sub["status"] == "incomplete":
            sub["status"] = "trialing" if sub["trial_end"] else "active"
        elif sub and sub["status"] in ("past_due", "unpaid") and (sub["latest_invoice"] == inv["id"] or not others):
            sub["status"] = "active"
    _delinquent(store, inv["customer"])


def _failed(store, inv):
    sub, days = subscription(store, inv), store.state.settings["stripe_retry_days"]
    first = inv["billing_reason"] == "subscription_create"
    again = not first and inv["auto_advance"] and inv["_retries"] < len(days) and not (sub and sub["status"] in ENDED)
    inv["next_payment_attempt"] = store.now() + int(days[inv["_retries"]] * DAY) if again else None
    if again:
        inv["_retries"] += 1
        store.schedule(inv["next_payment_attempt"], retry, inv["id"], inv["_retries"])
    store.emit("invoice.payment_failed", inv)
    with store.changing(sub, TOLD) if sub else _nothing():
        if sub and sub["status"] in ("active", "trialing"):
            sub["status"] = "past_due"
    _delinquent(store, inv["customer"])
    if sub and sub["status"] == "past_due" and not again and not first:
        _give_up(store, sub)


def _give_up(store, sub):
    how = store.state.settings["stripe_retries_end"]
    if how == "cancel":
        end(store, sub, "payment_failed")
    elif how == "unpaid":
        with store.changing(sub, TOLD):
            sub["status"] = "unpaid"


def _delinquent(store, ident):
    customer = store.objects[ident]
    if customer.get("deleted"):
        return
    with store.changing(customer, "customer.updated"):
        customer["delinquent"] = any(o["customer"] == ident and o["status"] == "open" and o["attempted"]
                                     for o in store.all("invoice"))


class _nothing:
    """A context that does nothing."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


def retry(store, ident, number):
    """The next attempt, unless something else has happened since."""
    inv = store.objects[ident]
    if inv["status"] == "open" and inv["auto_advance"] and inv["_retries"] == number:
        collect(store, inv)


def settle(store, inv):
    """A draft becomes final and is paid, or not."""
    invoices.finalize(store, inv)
    return collect(store, inv)


def settle_later(store, ident):
    """An hour after a renewal, if it is still wanted."""
    inv = store.objects[ident]
    if inv["status"] == "draft" and inv["auto_advance"]:
        settle(store, inv)


# ---- periods ---------------------------------------------------------------


def period_end(store, ident):
    """A period is over, or the moment has come at which the subscription is to end."""
    sub, now = store.objects[ident], store.now()
    if sub["status"] in ENDED | {"incomplete", "paused"}:
        return
    due = [item for item in sub["items"]["data"] if item["current_period_end"] <= now]
    if sub["cancel_at"] and sub["cancel_at"] <= now:
        _end_of_period(store, sub)
    elif due and sub["status"] == "trialing" and not _trial_over(store, sub):
        return
    elif due:
        renew(store, sub, due)


def _trial_over(store, sub):
    """Whether the subscription goes on; without anything to pay with, its settings say."""
    customer = store.objects[sub["customer"]]
    if payments.method_for(store, {"customer": customer["id"]}, sub):
        return True
    how = sub["trial_settings"]["end_behavior"]["missing_payment_method"]
    if how == "cancel":
        end(store, sub, "cancellation_requested")
    elif how == "pause":
        with store.changing(sub, "customer.subscription.paused"):
            sub["status"] = "paused"
    return how == "create_invoice"


def renew(store, sub, due):
    """The next period of these items: a draft that is final an hour later."""
    now = store.now()
    with store.changing(sub, TOLD):
        since = min(item["current_period_start"] for item in due)
        lines = invoices.behind(store, sub, due)
        for item in due:
            step(sub, item)
        if sub["status"] == "trialing":
            sub["status"] = "active"
        inv = invoices.build(store, sub, invoices.ahead(store, sub, due) + lines, "subscription_cycle", since)
        sub["latest_invoice"] = inv["id"]
    draft(store, sub, inv, now)
    wait(store, sub)


def draft(store, sub, inv, now):
    """A draft waits an hour, of a subscription that nobody pays for ever."""
    if sub["status"] == "unpaid":
        inv["auto_advance"] = False
    else:
        inv["automatically_finalizes_at"] = inv["next_payment_attempt"] = now + HOUR
        store.schedule(now + HOUR, settle_later, inv["id"])


def _end_of_period(store, sub):
    """It ends as was asked for; what was used is billed still."""
    items = sub["items"]["data"]
    lines = invoices.behind(store, sub, items, store.now())
    if lines or any(one["subscription"] == sub["id"] for one in store.pending):
        inv = invoices.build(store, sub, lines, "subscription_cycle", min(i["current_period_start"] for i in items))
        sub["latest_invoice"] = inv["id"]
        draft(store, sub, inv, store.now())
        end(store, sub, "cancellation_requested", keep=inv["id"])
    else:
        end(store, sub, "cancellation_requested")


# ---- ending ----------------------------------------------------------------


def end(store, sub, reason, keep=None):
    """It is over; its open invoices are not collected any more."""
    if sub["status"] in ENDED:
        return
    for inv in store.all("invoice"):
        if invoices.subscription_of(inv) == sub["id"] and inv["id"] != keep:
            inv["auto_advance"] = False
    sub["status"], sub["ended_at"] = "canceled", store.now()
    sub["canceled_at"] = sub["canceled_at"] or store.now()
    sub["cancellation_details"]["reason"] = sub["cancellation_details"]["reason"] or reason
    store.emit("customer.subscription.deleted", sub)


def void(store, p, ident):
    """POST invoices/{id}/void."""
    inv = store.get("invoice", ident)
    if inv["status"] not in ("open", "uncollectible"):
        raise Refused(f"You can only pass in open invoices. This invoice isn't open (it is {inv['status']}).", "invoice_not_editable")
    inv["status"], inv["auto_advance"], inv["next_payment_attempt"] = "void", False, None
    inv["status_transitions"]["voided_at"], inv["amount_remaining"] = store.now(), 0
    intent = store.objects.get(inv["_payment"])
    if intent:
        intent["status"], intent["canceled_at"] = "canceled", store.now()
        tie = payments.tie_of(store, intent)
        tie["status"], tie["status_transitions"]["canceled_at"] = "canceled", store.now()
    store.emit("invoice.voided", inv)
    sub = subscription(store, inv)
    if sub and sub["status"] == "past_due" and sub["latest_invoice"] == ident:
        with store.changing(sub, TOLD):
            sub["status"] = "active"
    _delinquent(store, inv["customer"])
    return inv


def finalize(store, p, ident):
    """POST invoices/{id}/finalize."""
    inv = store.get("invoice", ident)
    if "auto_advance" in p:
        inv["auto_advance"] = p["auto_advance"]
    invoices.finalize(store, inv)
    if inv["amount_due"] == 0 or inv["auto_advance"]:
        collect(store, inv)
    return inv


def pay(store, p, ident):
    """POST invoices/{id}/pay; a card that declines is 402, and the attempt has happened."""
    inv = store.get("invoice", ident)
    if inv["status"] == "paid":
        raise Refused("Invoice is already paid", "invoice_already_paid")
    if inv["status"] not in ("open", "draft"):
        raise Refused("This invoice can no longer be paid.", "invoice_not_editable")
    method = store.get("payment_method", p["payment_method"], "payment_method") if p.get("payment_method") else None
    if inv["status"] == "draft":
        invoices.finalize(store, inv)
    if collect(store, inv, method) == "failed":
        charge = store.objects.get((store.objects.get(inv["_payment"]) or {}).get("latest_charge"))
        raise payments.decline(charge)
    return inv
