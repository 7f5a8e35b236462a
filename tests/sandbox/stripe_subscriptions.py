"""What one may ask of subscriptions at Stripe: begin, change with proration, preview, cancel, resume."""
import copy
from contextlib import contextmanager

import stripe_calendar as calendar
import stripe_catalog as catalog
import stripe_invoices as invoices
import stripe_life as life
import stripe_money as money
import stripe_payments as payments
from stripe_form import Refused, merge_metadata, missing
from stripe_store import DAY

DEAD = ("A canceled subscription can only update its cancellation_details and metadata.")


def recurring_price(store, ident, currency, param):
    """A price that a subscription may have."""
    price = store.get("price", ident, param)
    if not price["active"]:
        raise Refused(f"The price specified is inactive. This field only accepts active prices.", param=param)
    if price["type"] != "recurring":
        raise Refused("The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.", param=param)
    if currency not in (None, price["currency"]):
        raise Refused(f"The price specified only supports `{price['currency']}`. This doesn't match the expected currency: `{currency}`.", param=param)
    return price


def wanted_prices(store, items, param, currency=None):
    """Prices and quantities of a list of items that are given; metered ones have no quantity."""
    out = []
    for n, item in enumerate(items):
        price = recurring_price(store, item["price"], currency, f"{param}[{n}][price]")
        currency = price["currency"]
        if invoices.is_metered(price) and "quantity" in item:
            raise Refused("Quantity should not be specified where usage_type is `metered`.", param=f"{param}[{n}][quantity]")
        out.append((price, item.get("quantity", 1)))
    if not out:
        raise Refused(f"Missing required param: {param}.", "parameter_missing", param)
    return out


def one_currency(store, customer, currency):
    """A customer pays in one currency as long as anything of his lives."""
    for sub in store.all("subscription"):
        if sub["customer"] == customer["id"] and sub["status"] not in life.ENDED and sub["currency"] != currency:
            raise Refused("You cannot combine currencies on a single customer. This customer has an active subscription, "
                          f"subscription schedule, discount, quote, or invoice item with currency {sub['currency']}.")


def add_discounts(store, sub, given, session=None):
    """Coupons, by themselves or by a code that was typed."""
    for one in given or ():
        code = store.get("promotion_code", one["promotion_code"], "discounts") if one.get("promotion_code") else None
        ident = code["promotion"]["coupon"] if code else one.get("coupon")
        coupon = store.get("coupon", ident, "discounts")
        held = store.add(money.discount(store.now(), sub, coupon["id"], code and code["id"], session))
        sub["discounts"].append(held["id"])
        for used in filter(None, (code, coupon)):
            used["times_redeemed"] += 1


def create(store, p):
    """POST subscriptions."""
    customer = catalog.living(store, p["customer"])
    wanted = wanted_prices(store, p["items"], "items")
    one_currency(store, customer, wanted[0][0]["currency"])
    behavior = p.get("payment_behavior", "allow_incomplete")
    method = payments.method_for(store, {"customer": customer["id"]}, p)
    trial = p.get("trial_end") or p.get("trial_period_days")
    if behavior == "error_if_incomplete" and not trial and not (method and method["_works"]):
        raise payments.decline()
    if method is None and behavior == "allow_incomplete" and not trial:
        raise Refused("This customer has no attached payment source or default payment method. Please consider adding a "
                      "default payment method.", "resource_missing")
    sub, inv = begin(store, customer, wanted, p)
    if behavior != "default_incomplete" or inv["amount_due"] == 0:
        life.collect(store, inv)
    return sub


def begin(store, customer, wanted, p, session=None):
    """A subscription with its discounts and its first invoice."""
    if p.get("trial_end") and p["trial_end"] <= store.now():
        raise Refused("Invalid trial_end: must be in the future", param="trial_end")
    sub, inv = life.begin(store, customer, wanted, p, lambda new: add_discounts(store, new, p.get("discounts"), session))
    return sub, inv


def get(store, p, ident):
    """GET subscriptions/{id}."""
    return store.get("subscription", ident)


def list_all(store, p):
    """GET subscriptions; those that are canceled only when asked for."""
    status = p.get("status")

    def keep(o):
        if status is None:
            return o["status"] != "canceled"
        return status == "all" or (o["status"] in life.ENDED if status == "ended" else o["status"] == status)

    return store.list("subscription", p, lambda o: keep(o) and p.get("customer") in (None, o["customer"])
                      and (not p.get("price") or any(i["price"]["id"] == p["price"] for i in o["items"]["data"])))


def list_items(store, p):
    """GET subscription_items."""
    return store.page(store.get("subscription", p["subscription"], "subscription")["items"]["data"], p)


# ---- changing --------------------------------------------------------------


def changes(store, sub, items, at):
    """What a list of items would change: item, its new price (None when it goes), quantity, period, whether it is new."""
    out = []
    for n, given in enumerate(items or ()):
        name = f"items[{n}]"
        item = next((i for i in sub["items"]["data"] if i["id"] == given.get("id")), None)
        if given.get("id") and not item:
            raise missing("subscription item", given["id"], f"{name}[id]")
        if item is None and not given.get("price"):
            raise Refused(f"Missing required param: {name}[price].", "parameter_missing", f"{name}[price]")
        price = item and item["price"]
        if given.get("price"):
            price = recurring_price(store, given["price"], sub["currency"], f"{name}[price]")
        quantity = given.get("quantity", (item or {}).get("quantity", 1))
        out.append(_change(sub, item, None if given.get("deleted") else price, quantity, at))
    ids = [given["id"] for given in items or () if given.get("id")]
    if len(ids) != len(set(ids)):
        raise Refused("Subscription items must be unique.", param="items")
    return out


def _change(sub, item, price, quantity, at):
    same = item and price and all(item["price"]["recurring"][k] == price["recurring"][k] for k in ("interval", "interval_count"))
    if same:
        period = item["current_period_start"], item["current_period_end"]
    elif item and price:
        period = calendar.period(at, price["recurring"], 0)
    else:
        period = at, max(i["current_period_end"] for i in sub["items"]["data"])
    return {"item": item or {"id": None, "price": price, "quantity": quantity}, "price": price, "quantity": quantity,
            "period": period, "new": item is None, "restart": bool(item and price and not same)}


def lines_of(store, sub, wanted, how, at):
    """The lines that changes bring: none in a trial, and none where nothing is to be prorated but a period that begins anew."""
    if sub["status"] == "trialing":
        return []
    out = []
    for change in wanted:
        item = change["item"]
        if not change["new"] and change["price"] is item["price"] and change["quantity"] == item.get("quantity", 1):
            continue
        lines = invoices.prorations(store, sub, change, at)
        out += lines if how != "none" else [one for one in lines if change["restart"] and not invoices.is_proration(one)]
    return out


def update(store, p, ident):
    """POST subscriptions/{id}."""
    sub = store.get("subscription", ident)
    if sub["status"] in life.ENDED and set(p) - {"metadata", "cancellation_details", "expand"}:
        raise Refused(DEAD, "resource_missing" if sub["status"] == "canceled" else None, "id")
    how, at = p.get("proration_behavior", "create_prorations"), moment(store, sub, p)
    wanted = changes(store, sub, p.get("items"), at)
    lines = lines_of(store, sub, wanted, how, at)
    at_once = bool(lines) and (how == "always_invoice" or any(c["restart"] for c in wanted))
    if at_once and p.get("payment_behavior") == "error_if_incomplete":
        _must_be_paid(store, sub, lines)
    with _whole(sub), store.changing(sub, life.TOLD):
        _set(store, sub, p)
        _apply(store, sub, wanted)
        if at_once:
            inv = invoices.build(store, sub, lines, "subscription_update")
            sub["latest_invoice"] = inv["id"]
        else:
            store.pending += lines
    if at_once:
        _bill(store, inv, p)
    if p.get("trial_end") == "now" and sub["status"] == "trialing":
        _begin_paying(store, sub)
    life.wait(store, sub)
    return sub


def copy_of(held):
    """A subscription that may be changed without being it; prices stay the same objects."""
    items = [dict(item) for item in held["items"]["data"]]
    return {**held, "items": {**held["items"], "data": items}}


@contextmanager
def _whole(sub):
    """All of a change is made, or nothing of it."""
    before = {**copy_of(sub), **{k: copy.deepcopy(sub[k]) for k in ("discounts", "cancellation_details", "trial_settings")}}
    try:
        yield
    except Refused:
        sub.clear()
        sub.update(before)
        raise


def _bill(store, inv, p):
    if p.get("payment_behavior") == "default_incomplete" and inv["amount_due"]:
        invoices.finalize(store, inv)
    else:
        life.settle(store, inv)


def moment(store, sub, p):
    """From when on a change is reckoned."""
    at = p.get("proration_date") or store.now()
    items = sub["items"]["data"]
    if not min(i["current_period_start"] for i in items) <= at <= max(i["current_period_end"] for i in items):
        raise Refused("Invalid proration_date: must be within the current period", param="proration_date")
    return at


def _must_be_paid(store, sub, lines):
    waiting = [one for one in store.pending if one["subscription"] == sub["id"]]
    due = invoices.make(store, sub, copy.deepcopy(waiting + lines), "subscription_update")["amount_due"]
    method = payments.method_for(store, {"customer": sub["customer"]}, sub)
    if due and not (method and method["_works"]):
        store.counts["payment_attempts"] += 1
        raise payments.decline()


def _apply(store, sub, wanted):
    data = sub["items"]["data"]
    for change in wanted:
        item = change["item"]
        if change["new"]:
            life.add_item(store, sub, change["price"], change["quantity"])
        elif change["price"] is None:
            data.remove(item)
        else:
            life.set_price(store, item, change["price"], change["quantity"])
    if not data:
        raise Refused("A subscription must have at least one active plan.", param="items")
    if any(change["restart"] for change in wanted):
        sub["billing_cycle_anchor"] = store.now()
        for item in data:
            life.set_period(store, sub, item)


def _set(store, sub, p):
    for name in ("default_payment_method", "description"):
        if name in p:
            sub[name] = p[name]
    if "metadata" in p:
        sub["metadata"] = merge_metadata(sub["metadata"], p["metadata"])
    if "trial_settings" in p:
        sub["trial_settings"]["end_behavior"].update(p["trial_settings"]["end_behavior"])
    sub["cancellation_details"].update(p.get("cancellation_details") or {})
    add_discounts(store, sub, p.get("discounts"))
    if isinstance(p.get("trial_end"), int):
        _new_trial(store, sub, p["trial_end"])
    if "cancel_at_period_end" in p or "cancel_at" in p:
        _set_end(store, sub, p)


def _new_trial(store, sub, at):
    if at <= store.now():
        raise Refused("Invalid trial_end: must be in the future", param="trial_end")
    sub["trial_end"] = sub["billing_cycle_anchor"] = at
    sub["trial_start"], sub["status"] = sub["trial_start"] or store.now(), "trialing"
    for item in sub["items"]["data"]:
        life.set_period(store, sub, item)
    store.schedule(max(store.now(), at - 3 * DAY), life.warn, sub["id"])


def _set_end(store, sub, p):
    ends = [item["current_period_end"] for item in sub["items"]["data"]]
    at = p.get("cancel_at")
    at = {"min_period_end": min(ends), "max_period_end": max(ends)}.get(at, at)
    if p.get("cancel_at_period_end"):
        at = max(ends)
    if at is not None and at <= store.now():
        raise Refused("Invalid cancel_at: must be in the future", param="cancel_at")
    sub["cancel_at"], sub["cancel_at_period_end"] = at, bool(p.get("cancel_at_period_end"))
    sub["canceled_at"] = store.now() if at else None
    sub["cancellation_details"]["reason"] = "cancellation_requested" if at else None


def _begin_paying(store, sub):
    """The trial is over at once."""
    with store.changing(sub, life.TOLD):
        sub["trial_end"] = sub["billing_cycle_anchor"] = store.now()
        sub["status"] = "active"
        for item in sub["items"]["data"]:
            life.set_period(store, sub, item)
        sub["trial_end"] -= 1
        lines = invoices.ahead(store, sub, sub["items"]["data"])
        inv = invoices.build(store, sub, lines, "subscription_update")
        sub["latest_invoice"] = inv["id"]
    life.settle(store, inv)


# ---- ending ----------------------------------------------------------------


def cancel(store, p, ident):
    """DELETE subscriptions/{id}."""
    sub = store.get("subscription", ident)
    if sub["status"] in life.ENDED:
        raise missing("subscription", ident)
    at, items = store.now(), sub["items"]["data"]
    sub["cancellation_details"].update(p.get("cancellation_details") or {})
    if p.get("prorate") and sub["status"] != "trialing":
        gone = [_change(sub, item, None, 0, at) for item in items]
        store.pending += [one for change in gone for one in invoices.prorations(store, sub, change, at)]
    if p.get("invoice_now"):
        lines = invoices.behind(store, sub, items, at)
        if lines or any(one["subscription"] == ident for one in store.pending):
            inv = invoices.build(store, sub, lines, "manual")
            sub["latest_invoice"] = inv["id"]
            life.settle(store, inv)
    life.end(store, sub, "cancellation_requested")
    return sub


def resume(store, p, ident):
    """POST subscriptions/{id}/resume, of one that is paused."""
    sub = store.get("subscription", ident)
    if sub["status"] != "paused":
        raise Refused("Only subscriptions with `status=paused` can be resumed.", "subscription_not_paused")
    if p.get("billing_cycle_anchor", "now") == "now":
        sub["billing_cycle_anchor"] = store.now()
    for item in sub["items"]["data"]:
        life.set_period(store, sub, item)
    inv = invoices.build(store, sub, invoices.ahead(store, sub, sub["items"]["data"]), "subscription_update")
    sub["latest_invoice"] = inv["id"]
    if life.settle(store, inv) == "paid":
        with store.changing(sub, "customer.subscription.resumed"):
            sub["status"] = "active"
    life.wait(store, sub)
    return sub


def delete_customer(store, p, ident):
    """DELETE customers/{id}: his subscriptions end at once."""
    catalog.living(store, ident, "id")
    for sub in store.all("subscription"):
        if sub["customer"] == ident:
            life.end(store, sub, "cancellation_requested")
    for method in store.all("payment_method"):
        if method["customer"] == ident:
            method["customer"] = None
    return catalog.delete_customer(store, ident)
