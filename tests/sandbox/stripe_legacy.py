"""Stripe's objects in the shape of 2023-08-16, made from those of today."""
from stripe_objects import plan

FIRST_OF_TODAY = "2025-03-31"
# What the older shape does not know, by object.
GONE = {
    "checkout.session": "adaptive_pricing allowed_payment_method_types client_secret collected_information "
                        "customer_account discounts integration_identifier managed_payments origin_context permissions "
                        "saved_payment_method_options ui_mode wallet_options",
    "subscription": "billing_cycle_anchor_config billing_mode billing_schedules customer_account discounts "
                    "invoice_settings managed_payments",
    "subscription_item": "current_period_start current_period_end current_trial discounts",
    "invoice": "amount_overpaid automatically_finalizes_at customer_account issuer parent rendering "
               "total_pretax_credit_amounts total_taxes",
    "line_item": "parent pretax_credit_amounts pricing quantity_decimal subtotal taxes",
    "payment_method": "customer_account allow_redisplay", "promotion_code": "promotion customer_account",
    "billing_portal.session": "customer_account", "payment_intent": "customer_account payment_details",
    "discount": "source customer_account", "product": "marketing_features tax_details type",
}


def is_old(version):
    """Whether a version of the API has the older shape."""
    return version < FIRST_OF_TODAY


def older(store, shown, held):
    """The object in the older shape; shown is changed, held is what the store holds of it."""
    kind = shown.get("object")
    extra = EXTRA[kind](store, shown, held) if kind in EXTRA else {}
    for name in GONE.get(kind, "").split():
        shown.pop(name, None)
    shown.update(extra)
    return shown


def _session(store, shown, held):
    shown["automatic_tax"] = {k: shown["automatic_tax"][k] for k in ("enabled", "status")}
    for name in ("business_name", "individual_name"):
        (shown["customer_details"] or {}).pop(name, None)
    return {"shipping_details": None}


def _subscription(store, shown, held):
    items = held["items"]["data"]
    shown["automatic_tax"] = {"enabled": False}
    shown["cancellation_details"].pop("feedback_option", None)
    shown["trial_settings"]["end_behavior"].pop("billing_cycle_anchor", None)
    one = items[0] if len(items) == 1 else None
    return {"current_period_start": min(i["current_period_start"] for i in items),
            "current_period_end": max(i["current_period_end"] for i in items),
            "discount": _discount_of(store, held), "plan": one and _plan(one["price"]),
            "quantity": one and one.get("quantity")}


def _discount_of(store, held):
    found = store.objects.get(held["discounts"][0]) if held["discounts"] else None
    return found and older(store, dict(found), found)


def _plan(price):
    out = {**plan(price), "aggregate_usage": None}
    return {k: v for k, v in out.items() if k != "meter"}


def _price(store, shown, held):
    recurring = shown["recurring"]
    if recurring:
        shown["recurring"] = {**{k: v for k, v in recurring.items() if k != "meter"}, "aggregate_usage": None}
    return {}


def _product(store, shown, held):
    return {"features": held["marketing_features"]}


def _method(store, shown, held):
    shown["billing_details"].pop("tax_id", None)
    for name in ("display_brand", "regulated_status"):
        shown.get("card", {}).pop(name, None)
    return {}


def _item(store, shown, held):
    return {"plan": _plan(held["price"])}


def _invoice(store, shown, held):
    parent = held["parent"]
    details = parent and parent["subscription_details"]
    intent = store.objects.get(held["_payment"])
    shown["automatic_tax"] = {"enabled": False, "status": None}
    return {"application_fee_amount": None, "charge": intent and intent["latest_charge"],
            "discount": None, "paid": held["status"] == "paid", "paid_out_of_band": False,
            "payment_intent": intent and intent["id"], "quote": None, "rendering_options": None,
            "subscription": details and details["subscription"],
            "subscription_details": details and {"metadata": details["metadata"]}, "tax": None,
            "total_tax_amounts": [], "transfer_data": None}


def _line(store, shown, held):
    details = held["parent"]["subscription_item_details"]
    price = held["_price"]
    return {"amount_excluding_tax": held["amount"], "plan": _plan(price),
            "price": _price_of(store, price), "proration": details["proration"],
            "proration_details": {"credited_items": None}, "subscription_item": details["subscription_item"],
            "tax_amounts": [], "tax_rates": [], "type": "subscription",
            "unit_amount_excluding_tax": held["pricing"]["unit_amount_decimal"]}


def _price_of(store, price):
    shown = dict(price)
    _price(store, shown, price)
    return shown


def _payment(store, shown, held):
    return {"invoice": held.get("_invoice")}


def _discount(store, shown, held):
    return {"coupon": store.objects.get(held["source"]["coupon"])}


def _promotion(store, shown, held):
    return {"coupon": store.objects.get(held["promotion"]["coupon"])}


EXTRA = {"checkout.session": _session, "subscription": _subscription, "subscription_item": _item, "price": _price, "product": _product,
         "payment_method": _method,
         "invoice": _invoice, "line_item": _line, "payment_intent": _payment, "charge": _payment,
         "discount": _discount, "promotion_code": _promotion}
