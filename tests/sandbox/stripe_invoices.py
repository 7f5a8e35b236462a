"""Stripe's invoices: their lines, prorations and sums.  Who pays, and what follows from it, is in stripe_payments.py and stripe_life.py."""
from datetime import datetime, timezone
from decimal import Decimal

import stripe_calendar as calendar
import stripe_meters as meters
import stripe_objects as objects
from stripe_form import Refused, merge_metadata

HOUR = 3600


# ---- lines -----------------------------------------------------------------


def worth(price, quantity):
    """What so much of a price costs."""
    return calendar.whole(Decimal(price["unit_amount_decimal"]) * quantity)


def name(store, price):
    """What a price is of."""
    return store.objects[price["product"]]["name"]


def line(store, sub, item, amount, **about):
    """One line about an item; about: period, text, and where it differs price, quantity, proration."""
    price = about.get("price", item["price"])
    return objects.line(price, amount, {"subscription": sub, "item": item, "proration": about.get("proration", False),
                                        "quantity": about.get("quantity", item.get("quantity", 0)),
                                        "period": about["period"], "text": about["text"]})


def is_metered(price):
    """Whether a price is for what a meter counts."""
    return price["recurring"]["usage_type"] == "metered"


def ahead(store, sub, items):
    """What is paid before a period: all but metered prices."""
    out = []
    for item in items:
        if is_metered(item["price"]):
            continue
        period = item["current_period_start"], item["current_period_end"]
        if sub["trial_end"] == period[1]:
            out.append(line(store, sub, item, 0, period=period, text="Trial period for " + name(store, item["price"])))
        else:
            out.append(line(store, sub, item, worth(item["price"], item["quantity"]), period=period,
                            text=f"{item['quantity']} × {name(store, item['price'])}"))
    return out


def behind(store, sub, items, end=None):
    """What is paid after a period: what the meters counted in it."""
    out = []
    for item in items:
        if is_metered(item["price"]):
            period = max(item["current_period_start"], item["_since"]), end or item["current_period_end"]
            one = line(store, sub, item, 0, period=period, quantity=0, text=name(store, item["price"]))
            one["_usage"] = (item["price"]["recurring"]["meter"], sub["customer"], *period)
            out.append(refresh(store, one))
    return out


def used_up(store, sub, item, at):
    """What was told so far of what a price counts that goes; in the classic mode nobody pays for it."""
    one, = behind(store, sub, [item], at)
    del one["_usage"]
    one["parent"]["subscription_item_details"]["proration"] = True
    return [one] if one["amount"] else []


def refresh(store, one):
    """A line of what was used, as the meter stands now."""
    used = meters.total(store, *one["_usage"])
    one["amount"] = one["subtotal"] = calendar.whole(Decimal(one["_price"]["unit_amount_decimal"]) * used)
    one["quantity"], one["quantity_decimal"] = calendar.whole(used), format(used, "f")
    return one


def is_proration(one):
    """Whether a line is for a part of a period."""
    return one["parent"]["subscription_item_details"]["proration"]


def prorations(store, sub, change, at):
    """Credit for what is unused of an item, and the charge for the rest of its period with what replaces it."""
    item, price, quantity = change["item"], change["price"], change["quantity"]
    day = datetime.fromtimestamp(at, timezone.utc).strftime("%d %b %Y")
    out = []
    if not change["new"] and is_metered(item["price"]) and sub["billing_mode"]["type"] == "flexible":
        out += used_up(store, sub, item, at)
    if not change["new"] and not is_metered(item["price"]):
        start, end = item["current_period_start"], item["current_period_end"]
        credit = calendar.share(worth(item["price"], item["quantity"]), start, end, at)
        out.append(line(store, sub, item, -credit, period=(at, end), proration=True,
                        text=f"Unused time on {name(store, item['price'])} after {day}"))
    if price and not is_metered(price):
        start, end = change["period"]
        rest = calendar.share(worth(price, quantity), start, end, at)
        fresh = start == at
        out.append(line(store, sub, item, rest, period=(at, end), price=price, quantity=quantity, proration=not fresh,
                        text=f"{quantity} × {name(store, price)}" if fresh else
                        f"Remaining time on {name(store, price)} after {day}"))
    return out


# ---- invoices --------------------------------------------------------------


def make(store, sub, lines, reason, since=None):
    """A draft with these lines and the sums, not yet kept."""
    customer = store.objects[sub["customer"]]
    inv = objects.invoice(store.now(), customer, sub, reason)
    inv["period_start"] = store.now() if since is None else since
    inv["lines"]["data"] = lines
    for one in lines:
        one["invoice"] = inv["id"]
    return sums(store, inv)


def build(store, sub, lines, reason, since=None):
    """A draft with these lines and all that waited for the next invoice; kept and told of."""
    waiting = [one for one in store.pending if one["subscription"] == sub["id"]]
    store.pending = [one for one in store.pending if one["subscription"] != sub["id"]]
    inv = store.add(make(store, sub, waiting + lines, reason, since))
    store.emit("invoice.created", inv)
    return inv


def sums(store, inv):
    """The sums of an invoice that is not final."""
    customer = store.objects[inv["customer"]]
    data = inv["lines"]["data"]
    for one in data:
        if "_usage" in one:
            refresh(store, one)
    inv["subtotal"] = inv["subtotal_excluding_tax"] = sum(one["amount"] for one in data)
    inv["total_discount_amounts"] = _discounts(store, inv)
    off = sum(d["amount"] for d in inv["total_discount_amounts"])
    inv["total"] = inv["total_excluding_tax"] = inv["subtotal"] - off
    inv["starting_balance"] = customer.get("balance", 0)
    inv["amount_due"] = inv["amount_remaining"] = max(0, inv["total"] + inv["starting_balance"])
    return inv


def _discounts(store, inv):
    details = inv["parent"] and inv["parent"]["subscription_details"]
    sub = details and store.objects.get(details["subscription"])
    left = max(0, sum(one["amount"] for one in inv["lines"]["data"]))
    out = []
    for ident in sub["discounts"] if sub else ():
        coupon = store.objects[store.objects[ident]["source"]["coupon"]]
        amount = reduction(coupon, left)
        left -= amount
        out.append({"amount": amount, "discount": ident})
    inv["discounts"] = [d["discount"] for d in out]
    return out


def reduction(coupon, amount):
    """What a coupon takes off."""
    if coupon["amount_off"] is not None:
        return min(amount, coupon["amount_off"])
    return calendar.whole(Decimal(amount) * Decimal(str(coupon["percent_off"])) / 100)


def finalize(store, inv):
    """The draft becomes final: a number, the last count of what was used, the customer's balance."""
    if inv["status"] != "draft":
        raise Refused("This invoice is already finalized, you can't re-finalize a non-draft invoice.",
                      "invoice_not_editable")
    sums(store, inv)
    now, customer = store.now(), store.objects[inv["customer"]]
    inv["ending_balance"] = min(0, inv["total"] + inv["starting_balance"])
    if not customer.get("deleted"):
        with store.changing(customer, "customer.updated"):
            customer["balance"] = inv["ending_balance"]
        inv["number"] = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04}"
        customer["next_invoice_sequence"] += 1
    inv["status"], inv["effective_at"], inv["automatically_finalizes_at"] = "open", now, None
    inv["status_transitions"]["finalized_at"] = inv["webhooks_delivered_at"] = now
    inv["hosted_invoice_url"] = f"https://invoice.stripe.com/i/acct_test/{objects.new_id('', 20)}"
    inv["invoice_pdf"] = f"https://pay.stripe.com/invoice/acct_test/{objects.new_id('', 20)}/pdf"
    _use_up(store, inv)
    store.emit("invoice.finalized", inv)
    return inv


def _use_up(store, inv):
    """A coupon that holds once is gone after the first invoice that it took something off."""
    for used in inv["total_discount_amounts"]:
        held = store.objects[used["discount"]]
        coupon, sub = store.objects[held["source"]["coupon"]], store.objects.get(held["subscription"])
        if used["amount"] and coupon["duration"] == "once" and sub and held["id"] in sub["discounts"]:
            sub["discounts"].remove(held["id"])


def update(store, p, ident):
    """POST invoices/{id}."""
    inv = get(store, {}, ident)
    with store.changing(inv, "invoice.updated"):
        if "auto_advance" in p:
            inv["auto_advance"] = p["auto_advance"]
        if "description" in p:
            inv["description"] = p["description"]
        if "metadata" in p:
            inv["metadata"] = merge_metadata(inv["metadata"], p["metadata"])
    return inv


def get(store, p, ident):
    """GET invoices/{id}; a draft with the usage of this moment."""
    inv = store.get("invoice", ident)
    return sums(store, inv) if inv["status"] == "draft" else inv


def subscription_of(inv):
    """The id of an invoice's subscription, or None."""
    details = inv["parent"] and inv["parent"]["subscription_details"]
    return details and details["subscription"]


def list_all(store, p):
    """GET invoices."""
    page = store.list("invoice", p, lambda o: p.get("customer") in (None, o["customer"])
                      and p.get("subscription") in (None, subscription_of(o)) and p.get("status") in (None, o["status"]))
    for inv in page.data:
        if inv["status"] == "draft":
            sums(store, inv)
    return page


def list_lines(store, p, ident):
    """GET invoices/{id}/lines."""
    return store.page(get(store, {}, ident)["lines"]["data"], p)
