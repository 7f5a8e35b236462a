"""Stripe's objects as they are when new, in the shape of today's API.  Names that begin with "_" are ours and never told."""
import secrets
import string

LETTERS = string.ascii_letters
SIGNS = LETTERS + string.digits


def new_id(prefix, length=24):
    """An id; it ends in a letter, so that no number of a telephone is read into it."""
    return prefix + "".join(secrets.choice(SIGNS) for _ in range(length - 1)) + secrets.choice(LETTERS)


def none(names):
    """An object of these names, all null."""
    return dict.fromkeys(names.split())


def page(url, data, more=False):
    """A list."""
    return {"object": "list", "data": data, "has_more": more, "url": url}


def address(given):
    """An address with all its parts, or none."""
    return {**none("city country line1 line2 postal_code state"), **given} if given else None


def customer(now, p):
    """A customer."""
    settings = p.get("invoice_settings") or {}
    return {"id": new_id("cus_", 14), "object": "customer", "address": address(p.get("address")),
            "balance": p.get("balance", 0), "created": now, "currency": None, "default_source": None,
            "delinquent": False, "description": p.get("description"), "discount": None, "email": p.get("email"),
            "invoice_prefix": new_id("", 8).upper(),
            "invoice_settings": {"custom_fields": None, "footer": settings.get("footer"), "rendering_options": None,
                                 "default_payment_method": settings.get("default_payment_method")},
            "livemode": False, "metadata": {}, "name": p.get("name"), "next_invoice_sequence": 1,
            "phone": p.get("phone"), "preferred_locales": p.get("preferred_locales", []), "shipping": None,
            "tax_exempt": p.get("tax_exempt", "none"), "test_clock": None}


def product(now, p):
    """A product."""
    return {"id": p.get("id") or new_id("prod_", 14), "object": "product", "active": p.get("active", True), "created": now,
            "default_price": None, "description": p.get("description"), "images": [], "livemode": False,
            "marketing_features": [], "metadata": {}, "name": p.get("name"), "package_dimensions": None,
            "shippable": None, "statement_descriptor": p.get("statement_descriptor"), "tax_code": p.get("tax_code"),
            "unit_label": p.get("unit_label"), "updated": now, "url": p.get("url"), "type": "service",
            "tax_details": None}


def price(now, p, product_id, amounts):
    """A price; amounts are unit_amount and unit_amount_decimal."""
    recurring = p.get("recurring")
    return {"id": new_id("price_"), "object": "price", "active": p.get("active", True), "billing_scheme": "per_unit",
            "created": now, "currency": p["currency"], "custom_unit_amount": None, "livemode": False,
            "lookup_key": p.get("lookup_key"), "metadata": {}, "nickname": p.get("nickname"), "product": product_id,
            "recurring": recurring and {
                "interval": recurring["interval"], "interval_count": recurring.get("interval_count", 1),
                "trial_period_days": None, "usage_type": recurring.get("usage_type", "licensed"),
                "meter": recurring.get("meter")},
            "tax_behavior": p.get("tax_behavior", "unspecified"), "tiers_mode": None, "transform_quantity": None,
            "type": "recurring" if recurring else "one_time", "unit_amount": amounts[0],
            "unit_amount_decimal": amounts[1]}


def plan(of):
    """The plan that goes with a price, as it was called before."""
    r = of["recurring"]
    return {"id": of["id"], "object": "plan", "active": of["active"], "amount": of["unit_amount"],
            "amount_decimal": of["unit_amount_decimal"], "billing_scheme": "per_unit", "created": of["created"],
            "currency": of["currency"], "interval": r["interval"], "interval_count": r["interval_count"],
            "livemode": False, "metadata": of["metadata"], "nickname": of["nickname"], "product": of["product"],
            "tiers_mode": None, "transform_usage": None, "trial_period_days": None, "usage_type": r["usage_type"],
            "meter": r["meter"]}


def meter(now, p):
    """A meter."""
    return {"id": new_id("mtr_test_", 20), "object": "billing.meter", "created": now,
            "customer_mapping": p.get("customer_mapping") or {"event_payload_key": "stripe_customer_id", "type": "by_id"},
            "default_aggregation": p["default_aggregation"], "display_name": p["display_name"],
            "event_name": p["event_name"], "event_time_window": p.get("event_time_window"), "livemode": False,
            "status": "active", "status_transitions": {"deactivated_at": None}, "updated": now,
            "value_settings": p.get("value_settings") or {"event_payload_key": "value"}}


def payment_method(now, customer_of, works, kind="card"):
    """A card, or an account that pays days later."""
    card = {"brand": "visa", "checks": {"address_line1_check": None, "address_postal_code_check": "pass",
                                        "cvc_check": "pass"},
            "country": "US", "exp_month": 12, "exp_year": 2030, "fingerprint": new_id("", 16), "funding": "credit",
            "generated_from": None, "last4": "4242" if works else "0341",
            "networks": {"available": ["visa"], "preferred": None}, "three_d_secure_usage": {"supported": True},
            "wallet": None, "display_brand": "visa", "regulated_status": "unregulated"}
    debit = {"bank_code": "19043", "branch_code": "", "country": "AT", "fingerprint": new_id("", 16),
             "generated_from": {"charge": None, "setup_attempt": None}, "last4": "3201"}
    return {"id": new_id("pm_"), "object": "payment_method", "allow_redisplay": "unspecified",
            "billing_details": {"address": {**address({"line1": None}), "postal_code": "10001"},
                                "email": customer_of["email"], "name": customer_of["name"], "phone": customer_of["phone"],
                                "tax_id": None},
            **({"card": card} if kind == "card" else {"sepa_debit": debit}), "created": now,
            "customer": customer_of["id"], "livemode": False, "metadata": {}, "customer_account": None,
            "type": "card" if kind == "card" else "sepa_debit", "_works": works}


def subscription(now, customer_id, p):
    """A subscription without items."""
    settings = p.get("trial_settings") or {"end_behavior": {"missing_payment_method": "create_invoice"}}
    ident = new_id("sub_")
    mode = (p.get("billing_mode") or {}).get("type", "flexible")
    return {**none("application application_fee_percent billing_cycle_anchor_config cancel_at canceled_at "
                   "days_until_due default_payment_method default_source description ended_at latest_invoice "
                   "next_pending_invoice_item_invoice on_behalf_of pause_collection pending_invoice_item_interval "
                   "pending_setup_intent pending_update schedule test_clock transfer_data trial_end trial_start "
                   "billing_thresholds customer_account currency"),
            "id": ident, "object": "subscription",
            "automatic_tax": {"enabled": False, "liability": None, "disabled_reason": None},
            "billing_cycle_anchor": now, "cancellation_details": none("comment feedback reason feedback_option"),
            "collection_method": "charge_automatically", "created": now, "customer": customer_id,
            "default_tax_rates": [], "description": p.get("description"), "discounts": [],
            "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}, "custom_fields": None,
                                 "description": None, "footer": None},
            "items": page(f"/v1/subscription_items?subscription={ident}", []), "livemode": False, "metadata": {},
            "payment_settings": {"payment_method_options": None, "payment_method_types": None,
                                 "save_default_payment_method": "off"},
            "start_date": now, "status": "incomplete",
            "trial_settings": {"end_behavior": {**settings["end_behavior"], "billing_cycle_anchor": None}},
            "cancel_at_period_end": False, "managed_payments": {"enabled": False}, "billing_schedules": [],
            "billing_mode": {"type": mode,
                             "flexible": {"proration_discounts": "included"} if mode == "flexible" else None}}


def subscription_item(now, sub, of, quantity):
    """One item; _number is the number of its period, counted from the anchor, _since is from when on it counts."""
    metered = of["recurring"]["usage_type"] == "metered"
    return {"id": new_id("si_", 14), "object": "subscription_item", "billing_thresholds": None, "created": now,
            "metadata": {}, "plan": plan(of), "price": of, **({} if metered else {"quantity": quantity}),
            "subscription": sub["id"], "tax_rates": [], "discounts": [], "current_period_start": now,
            "current_period_end": now, "current_trial": None, "_number": 0, "_since": now}


def line(of, amount, about):
    """A line of an invoice about a price; about: subscription, item, quantity, period, proration, text."""
    sub, item = about["subscription"], about["item"]
    return {"id": new_id("il_"), "object": "line_item", "amount": amount, "currency": of["currency"],
            "description": about["text"], "discount_amounts": [], "discountable": not about["proration"],
            "discounts": [], "livemode": False, "metadata": dict(sub["metadata"]),
            "period": {"start": about["period"][0], "end": about["period"][1]}, "quantity": about["quantity"],
            "invoice": None, "subscription": sub["id"], "subtotal": amount,
            "quantity_decimal": str(about["quantity"]), "pretax_credit_amounts": [], "taxes": [],
            "parent": {"type": "subscription_item_details", "invoice_item_details": None,
                       "subscription_item_details": {
                           "invoice_item": None, "proration": about["proration"], "proration_details": None,
                           "subscription": sub["id"], "subscription_item": item["id"]}},
            "pricing": {"type": "price_details",
                        "unit_amount_decimal": str(amount) if about["proration"] else of["unit_amount_decimal"],
                        "price_details": {"price": of["id"], "product": of["product"]}}, "_price": of}


def invoice(now, of, sub, reason):
    """A draft without lines."""
    ident = new_id("in_")
    return {**none("account_tax_ids application custom_fields customer_address customer_shipping "
                   "default_payment_method default_source description due_date effective_at ending_balance footer "
                   "from_invoice hosted_invoice_url invoice_pdf last_finalization_error latest_revision "
                   "next_payment_attempt number on_behalf_of receipt_number rendering shipping_cost "
                   "shipping_details statement_descriptor test_clock webhooks_delivered_at "
                   "automatically_finalizes_at customer_account"),
            "id": ident, "object": "invoice", "account_country": "US", "account_name": "Hookswitch", "amount_due": 0,
            "amount_paid": 0, "amount_remaining": 0, "amount_shipping": 0, "attempt_count": 0, "attempted": False,
            "auto_advance": True, "automatic_tax": {**none("liability status disabled_reason provider"), "enabled": False},
            "billing_reason": reason, "collection_method": "charge_automatically", "created": now,
            "currency": sub["currency"] if sub else of["currency"] or "usd", "customer": of["id"],
            "customer_address": of["address"], "customer_email": of["email"], "customer_name": of["name"],
            "customer_phone": of["phone"], "customer_tax_exempt": of["tax_exempt"], "customer_tax_ids": [],
            "default_tax_rates": [], "discounts": [], "issuer": {"type": "self"},
            "lines": page(f"/v1/invoices/{ident}/lines", []), "livemode": False, "metadata": {},
            "payment_settings": none("default_mandate payment_method_options payment_method_types"),
            "period_end": now, "period_start": now, "post_payment_credit_notes_amount": 0,
            "pre_payment_credit_notes_amount": 0, "starting_balance": 0, "status": "draft",
            "status_transitions": none("finalized_at marked_uncollectible_at paid_at voided_at"), "subtotal": 0,
            "subtotal_excluding_tax": 0, "total": 0, "total_discount_amounts": [], "total_excluding_tax": 0,
            "total_pretax_credit_amounts": [], "total_taxes": [], "amount_overpaid": 0,
            "parent": sub and {"type": "subscription_details", "quote_details": None, "subscription_details": {
                "metadata": dict(sub["metadata"]), "subscription": sub["id"]}}, "_retries": 0, "_payment": None}
