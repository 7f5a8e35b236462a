"""Stripe's preview of an invoice: what changes would bring that are not made."""
import copy

import stripe_invoices as invoices
import stripe_life as life
import stripe_subscriptions as subscriptions
from stripe_form import Refused


def preview(store, p):
    """POST invoices/create_preview: what the next invoice would be, after changes that are not made."""
    if not p.get("subscription"):
        raise Refused("Missing required param: subscription.", "parameter_missing", "subscription")
    held = store.get("subscription", p["subscription"], "subscription")
    if p.get("customer") not in (None, held["customer"]):
        raise Refused("The subscription does not belong to this customer", param="customer")
    if held["status"] in life.ENDED:
        raise Refused("No upcoming invoices for customer: " + held["customer"], "invoice_upcoming_none", status=404)
    details = p.get("subscription_details") or {}
    how, at = details.get("proration_behavior", "create_prorations"), subscriptions.moment(store, held, details)
    waiting = [one for one in store.pending if one["subscription"] == held["id"]]
    sub = subscriptions.copy_of(held)
    wanted = subscriptions.changes(store, sub, details.get("items"), at)
    lines = waiting + subscriptions.lines_of(store, sub, wanted, how, at)
    if details.get("cancel_now"):
        lines += invoices.behind(store, sub, sub["items"]["data"], store.now())
    elif not (lines and (how == "always_invoice" or any(c["restart"] for c in wanted))):
        lines = lines + _next(store, sub, wanted, details)
    inv = invoices.make(store, sub, copy.deepcopy(lines), "upcoming", sub["items"]["data"][0]["current_period_start"])
    inv["id"] = "upcoming_" + inv["id"]
    inv["lines"]["url"] = "/v1/invoices/upcoming/lines"
    return inv


def _next(store, sub, wanted, details):
    """What the end of the period would add."""
    if details.get("cancel_at_period_end") or (sub["cancel_at_period_end"] and details.get("cancel_at_period_end") is None):
        return invoices.behind(store, sub, sub["items"]["data"])
    for change in wanted:
        if change["price"] and not change["new"]:
            life.set_price(store, change["item"], change["price"], change["quantity"])
    first = min(item["current_period_end"] for item in sub["items"]["data"])
    due = [item for item in sub["items"]["data"] if item["current_period_end"] == first]
    lines = invoices.behind(store, sub, due)
    for item in due:
        life.step(sub, item)
    return invoices.ahead(store, sub, due) + lines
