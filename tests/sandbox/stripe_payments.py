"""Stripe's payments: taking the money of an invoice, giving it back, and finding one by the other."""
import stripe_money as money
from stripe_form import Refused, merge_metadata


def method_for(store, inv, sub):
    """What an invoice is paid with: the subscription's choice, else the customer's; None without any."""
    customer = store.objects[inv["customer"]]
    for ident in ((sub or {}).get("default_payment_method"), (customer.get("invoice_settings") or {}).get("default_payment_method")):
        method = store.objects.get(ident)
        if method and method["customer"]:
            return method
    return None


def intent_of(store, inv, method):
    """The payment intent of an invoice; made when it is first needed."""
    intent = store.objects.get(inv["_payment"])
    if intent is None:
        intent = store.add(money.payment_intent(store.now(), inv, method))
        inv["_payment"] = intent["id"]
        store.add(money.invoice_payment(store.now(), inv, intent))
    intent["payment_method"] = method and method["id"]
    return intent


def attempt(store, inv, method):
    """Try to take what is due: "paid", "failed", or "pending" with a method that takes days."""
    if inv["amount_remaining"] == 0:
        return "paid"
    intent = intent_of(store, inv, method)
    store.counts["payment_attempts"] += 1
    if method is None:
        return "failed"
    outcome = "failed" if not method["_works"] else "succeeded" if method["type"] == "card" else "pending"
    charge = store.add(money.charge(store.now(), intent, method, outcome))
    intent["latest_charge"] = charge["id"]
    if outcome == "pending":
        intent["status"] = "processing"
        store.emit("charge.pending", charge)
        store.emit("payment_intent.processing", intent)
    return {"failed": _declined, "succeeded": _taken, "pending": lambda *_: "pending"}[outcome](store, intent, charge)


def _taken(store, intent, charge):
    charge["status"], charge["paid"] = "succeeded", True
    intent["status"], intent["amount_received"], intent["last_payment_error"] = "succeeded", intent["amount"], None
    tie = tie_of(store, intent)
    tie["status"], tie["amount_paid"], tie["status_transitions"]["paid_at"] = "paid", intent["amount"], store.now()
    store.emit("charge.succeeded", charge)
    store.emit("payment_intent.succeeded", intent)
    store.emit("invoice_payment.paid", tie)
    return "paid"


def _declined(store, intent, charge):
    charge["status"], charge["paid"] = "failed", False
    intent["status"] = "requires_payment_method"
    intent["last_payment_error"] = decline(charge).error
    store.emit("charge.failed", charge)
    store.emit("payment_intent.payment_failed", intent)
    return "failed"


def arrive(store, inv, good):
    """The answer of a method that takes days: "paid" or "failed"."""
    intent = store.objects.get(inv["_payment"])
    if not intent or intent["status"] != "processing":
        raise Refused("no payment of this invoice is under way")
    charge = store.objects[intent["latest_charge"]]
    return (_taken if good else _declined)(store, intent, charge)


def decline(charge=None):
    """The refusal of a card."""
    return Refused("Your card was declined.", "card_declined", status=402, kind="card_error",
                   decline_code="generic_decline", **({"charge": charge["id"]} if charge else {}))


def tie_of(store, intent):
    """The invoice payment of a payment intent."""
    return next(o for o in store.all("invoice_payment") if o["payment"]["payment_intent"] == intent["id"])


def list_ties(store, p):
    """GET invoice_payments."""
    wanted = p.get("payment") or {}
    return store.list("invoice_payment", p, lambda o: p.get("invoice") in (None, o["invoice"])
                      and p.get("status") in (None, o["status"])
                      and wanted.get("payment_intent") in (None, o["payment"]["payment_intent"]))


def list_charges(store, p):
    """GET charges."""
    return store.list("charge", p, lambda o: p.get("customer") in (None, o["customer"])
                      and p.get("payment_intent") in (None, o["payment_intent"]))


def list_intents(store, p):
    """GET payment_intents."""
    return store.list("payment_intent", p, lambda o: p.get("customer") in (None, o["customer"]))


# ---- money back ------------------------------------------------------------


def refund(store, p):
    """POST refunds."""
    charge = _charge(store, p)
    left = charge["amount"] - charge["amount_refunded"]
    amount = p.get("amount", left)
    if charge["status"] != "succeeded":
        raise Refused(f"Charge {charge['id']} cannot be refunded: it is {charge['status']}.", "charge_not_refundable")
    if left == 0:
        raise Refused(f"Charge {charge['id']} has already been refunded.", "charge_already_refunded")
    if not 0 < amount <= left:
        raise Refused(f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", param="amount")
    made = money.refund(store.now(), charge, amount, p)
    made["_customer"] = charge["customer"]
    made["metadata"] = merge_metadata({}, p.get("metadata") or {})
    store.add(made)
    charge["_refunds"]["data"].insert(0, made)
    store.emit("refund.created", made)
    with store.changing(charge, "charge.refunded"):
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    return made


def _charge(store, p):
    if p.get("charge"):
        return store.get("charge", p["charge"], "charge")
    if not p.get("payment_intent"):
        raise Refused("One of the following params should be provided for this request: payment_intent or charge.",
                      "parameter_missing", "charge")
    intent = store.get("payment_intent", p["payment_intent"], "payment_intent")
    if not intent["latest_charge"]:
        raise Refused(f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                      "payment_intent_unexpected_state")
    return store.objects[intent["latest_charge"]]


def list_refunds(store, p):
    """GET refunds."""
    return store.list("refund", p, lambda o: p.get("charge") in (None, o["charge"])
                      and p.get("payment_intent") in (None, o["payment_intent"]))


def dispute(store, charge, reason="fraudulent"):
    """The payer takes a charge back."""
    if charge["disputed"] or charge["status"] != "succeeded":
        raise Refused(f"charge {charge['id']} cannot be disputed (again)")
    made = money.dispute(store.now(), charge, reason)
    made["_customer"] = charge["customer"]
    store.add(made)
    charge["disputed"] = True
    store.emit("charge.dispute.created", made)
    return made


def close_dispute(store, charge, status):
    """A dispute ends: won or lost."""
    found = [d for d in store.all("dispute") if d["charge"] == charge["id"] and d["status"] == "needs_response"]
    if not found or status not in ("won", "lost"):
        raise Refused(f"charge {charge['id']} has no open dispute, or {status} is neither won nor lost")
    with store.changing(found[0], "charge.dispute.closed"):
        found[0]["status"] = status
    return found[0]
