"""Paddle's objects as they are told: customers, prices, subscriptions, transactions, notifications."""
import secrets
from datetime import datetime, timezone

import stripe_calendar as calendar

# Crockford's alphabet in small letters, as Paddle's ids have it.
SIGNS = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix):
    """An id; it ends in a letter, so that no number of a telephone is read into it."""
    return prefix + "01" + "".join(secrets.choice(SIGNS) for _ in range(23)) + secrets.choice(SIGNS[10:])


def when(at):
    """A time as Paddle writes it."""
    return None if at is None else datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def customer(now, given):
    """A customer."""
    return {"id": given.get("id") or new_id("ctm_"), "name": given.get("name"), "email": given["email"], "marketing_consent": False,
            "status": "active", "custom_data": given.get("custom_data"), "locale": "en", "created_at": when(now),
            "updated_at": when(now), "import_meta": None, "_card": "good"}


def product(now, name):
    """A product."""
    return {"id": new_id("pro_"), "name": name, "type": "standard", "tax_category": "standard", "description": name,
            "image_url": None, "custom_data": None, "status": "active", "import_meta": None, "created_at": when(now),
            "updated_at": when(now)}


def price(now, given, of):
    """A price of a product."""
    return {"id": given.get("id") or new_id("pri_"), "name": given.get("name"), "type": "standard", "status": "active",
            "quantity": {"maximum": 999, "minimum": 1}, "tax_mode": "account_setting", "created_at": when(now),
            "product_id": of["id"], "unit_price": {"amount": str(given.get("amount", 4900)),
                                                   "currency_code": given.get("currency", "USD")},
            "updated_at": when(now), "custom_data": given.get("custom_data"), "description": given.get("name") or "Plan",
            "import_meta": None, "trial_period": None,
            "billing_cycle": {"interval": given.get("interval", "month"), "frequency": 1}, "unit_price_overrides": [],
            "_product": of}


def item(now, sub, of, quantity):
    """One item of a subscription."""
    return {"price": of, "product": of["_product"], "status": sub["status"], "quantity": quantity, "recurring": True,
            "created_at": when(now), "updated_at": when(now), "trial_dates": None,
            "next_billed_at": sub["next_billed_at"], "previously_billed_at": sub["first_billed_at"]}


def subscription(now, of, prices, given):
    """A subscription and its first period; prices with quantities."""
    cycle = prices[0][0]["billing_cycle"]
    trial = given.get("status") == "trialing"
    end = now + 14 * 86400 if trial else calendar.add(now, cycle["interval"], cycle["frequency"])
    sub = {"id": given.get("id") or new_id("sub_"), "items": [], "status": "trialing" if trial else "active",
           "discount": None, "paused_at": None, "address_id": new_id("add_"), "created_at": when(now),
           "started_at": when(now), "updated_at": when(now), "business_id": None, "canceled_at": None,
           "custom_data": given.get("custom_data"), "customer_id": of["id"], "import_meta": None, "billing_cycle": cycle,
           "currency_code": prices[0][0]["unit_price"]["currency_code"], "next_billed_at": when(end),
           "billing_details": None, "collection_mode": "automatic", "first_billed_at": None if trial else when(now),
           "scheduled_change": None, "current_billing_period": {"ends_at": when(end), "starts_at": when(now)},
           "_anchor": end if trial else now, "_period": (now, end), "_number": -1 if trial else 0}
    sub["items"] = [item(now, sub, of_price, quantity) for of_price, quantity in prices]
    return sub


def _totals(amount, currency=None):
    text = str(amount)
    totals = {"fee": "0", "tax": "0", "total": text, "earnings": text, "subtotal": text, "grand_total": text}
    return totals if currency is None else {**totals, "credit": "0", "balance": "0", "discount": "0",
                                            "currency_code": currency, "credit_to_balance": "0"}


def transaction(now, sub, items, amount, origin):
    """A bill that is not paid yet; items: price, quantity."""
    currency = sub["currency_code"]
    rest = {"tax": "0", "total": str(amount), "discount": "0", "subtotal": str(amount)}
    lines = [{"id": new_id("txnitm_"), "totals": _line(one, n), "product": one["_product"], "price_id": one["id"],
              "quantity": n, "tax_rate": "0", "unit_totals": _line(one, 1)} for one, n in items]
    return {"id": new_id("txn_"), "items": [{"price": one, "quantity": n, "proration": None} for one, n in items],
            "origin": origin, "status": "ready",
            "details": {"totals": _totals(amount, currency), "line_items": lines, "payout_totals": None,
                        "tax_rates_used": [{"totals": rest, "tax_rate": "0"}],
                        "adjusted_totals": {**_totals(amount), "currency_code": currency}},
            "checkout": {"url": None}, "payments": [], "billed_at": None, "address_id": sub["address_id"],
            "created_at": when(now), "invoice_id": None, "updated_at": when(now), "revised_at": None,
            "business_id": None, "custom_data": sub["custom_data"], "customer_id": sub["customer_id"],
            "discount_id": None, "currency_code": currency, "billing_period": sub["current_billing_period"],
            "invoice_number": None, "billing_details": None, "collection_mode": "automatic",
            "subscription_id": sub["id"], "_amount": amount}


def _line(of, quantity):
    amount = str(int(of["unit_price"]["amount"]) * quantity)
    return {"tax": "0", "total": amount, "discount": "0", "subtotal": amount}


def payment(now, bill, good):
    """One attempt to have a bill paid."""
    return {"amount": str(bill["_amount"]), "status": "captured" if good else "error", "created_at": when(now),
            "error_code": None if good else "declined", "captured_at": when(now) if good else None,
            "method_details": {"card": {"type": "visa", "last4": "4242" if good else "0002", "expiry_year": 2030,
                                        "expiry_month": 12, "cardholder_name": "Owner One"}, "type": "card"},
            "payment_method_id": new_id("paymtd_"), "payment_attempt_id": new_id(""),
            "stored_payment_method_id": new_id("")}


def shown(held):
    """An object as it is told: without what is ours."""
    if isinstance(held, list):
        return [shown(one) for one in held]
    if isinstance(held, dict):
        return {k: shown(v) for k, v in held.items() if not k.startswith("_")}
    return held
