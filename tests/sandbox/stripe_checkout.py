"""Stripe's checkout and portal: sessions, and what the customer does on their pages."""
import stripe_catalog as catalog
import stripe_invoices as invoices
import stripe_life as life
import stripe_money as money
import stripe_objects as objects
import stripe_payments as payments
import stripe_subscriptions as subscriptions
from stripe_form import Refused, merge_metadata
from stripe_store import DAY

HOUR = 3600


def create(store, p):
    """POST checkout/sessions."""
    if p["mode"] != "subscription":
        raise Refused("The sandbox knows mode=subscription only", param="mode")
    for name in ("success_url", "line_items"):
        if not p.get(name):
            raise Refused(f"Missing required param: {name}.", "parameter_missing", name)
    if p.get("customer") and p.get("customer_email"):
        raise Refused("You may only specify one of these parameters: customer, customer_email.", param="customer_email")
    if p.get("discounts") and p.get("allow_promotion_codes"):
        raise Refused("You may only specify one of these parameters: allow_promotion_codes, discounts.", param="discounts")
    wanted = subscriptions.wanted_prices(store, p["line_items"], "line_items")
    if p.get("customer"):
        subscriptions.one_currency(store, catalog.living(store, p["customer"]), wanted[0][0]["currency"])
    _check_times(store, p)
    ident = objects.new_id("cs_test_", 58)
    held = money.session(store.now(), ident, p, 0)
    held["metadata"] = merge_metadata({}, p.get("metadata") or {})
    held["currency"] = wanted[0][0]["currency"]
    held["url"] = f"{store.base}/c/pay/{ident}"
    held["_wanted"], held["_data"], held["_discounts"] = wanted, p.get("subscription_data") or {}, p.get("discounts") or []
    held["_lines"] = [_line(price, quantity, store) for price, quantity in wanted]
    _amounts(store, held)
    store.add(held)
    store.schedule(held["expires_at"], expire_late, ident)
    return held


def _check_times(store, p):
    now, data = store.now(), p.get("subscription_data") or {}
    if p.get("expires_at") and not now + 1800 <= p["expires_at"] <= now + DAY:
        raise Refused("The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.",
                      param="expires_at")
    if data.get("trial_end") and data["trial_end"] < now + 2 * DAY:
        raise Refused("The `trial_end` date has to be at least 2 days in the future.", param="subscription_data[trial_end]")
    if data.get("trial_period_days") == 0:
        raise Refused("The minimum number of trial period days is 1.", param="subscription_data[trial_period_days]")


def _line(price, quantity, store):
    metered = invoices.is_metered(price)
    amount = 0 if metered else invoices.worth(price, quantity)
    return {"id": objects.new_id("li_"), "object": "item", "adjustable_quantity": None, "amount_discount": 0,
            "amount_subtotal": amount, "amount_tax": 0, "amount_total": amount, "currency": price["currency"],
            "description": invoices.name(store, price), "metadata": {}, "price": price,
            "quantity": None if metered else quantity}


def _amounts(store, held):
    data = held["_data"]
    whole = sum(one["amount_subtotal"] for one in held["_lines"])
    whole = 0 if data.get("trial_period_days") or data.get("trial_end") else whole
    off = 0
    for one in held["_discounts"]:
        code = store.get("promotion_code", one["promotion_code"], "discounts") if one.get("promotion_code") else None
        coupon = store.get("coupon", code["promotion"]["coupon"] if code else one.get("coupon"), "discounts")
        off += invoices.reduction(coupon, whole - off)
    held["amount_subtotal"], held["amount_total"] = whole, whole - off
    held["total_details"]["amount_discount"] = off


def get(store, p, ident):
    """GET checkout/sessions/{id}."""
    return store.get("checkout.session", ident)


def list_all(store, p):
    """GET checkout/sessions."""
    return store.list("checkout.session", p, lambda o: all(
        p.get(name) in (None, o[name]) for name in ("customer", "status", "subscription", "payment_intent")))


def list_lines(store, p, ident):
    """GET checkout/sessions/{id}/line_items."""
    return store.page(get(store, p, ident)["_lines"], p)


def expire(store, p, ident):
    """POST checkout/sessions/{id}/expire."""
    held = get(store, p, ident)
    if held["status"] != "open":
        raise Refused(f"Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of `{held['status']}`.")
    held["status"], held["url"] = "expired", None
    store.emit("checkout.session.expired", held)
    return held


def expire_late(store, ident):
    """The day of a session is over."""
    if store.objects[ident]["status"] == "open":
        expire(store, {}, ident)


# ---- what the customer does ------------------------------------------------


def complete(store, held, kind="card", code=None):
    """The customer pays, with a card or with what takes days; a code takes something off."""
    must_be_open(held)
    if code:
        _use_code(store, held, code)
    if held["customer"]:
        customer = catalog.living(store, held["customer"])
    else:
        customer = catalog.create_customer(store, {"email": held["customer_email"] or "owner@example.com"})
        held["customer"] = customer["id"]
    method = None
    if held["amount_total"] or held["payment_method_collection"] == "always":
        method = catalog.attach(store, customer, True, kind)
    data = {**held["_data"], "discounts": held["_discounts"], "default_payment_method": method and method["id"]}
    sub, inv = subscriptions.begin(store, customer, held["_wanted"], data, held["id"])
    life.collect(store, inv)
    if inv["status"] == "open" and store.state.settings["stripe_delayed_status"] == "active":
        with store.changing(sub, life.TOLD):
            sub["status"] = "active"
    held["status"], held["url"], held["subscription"], held["invoice"] = "complete", None, sub["id"], inv["id"]
    held["payment_status"] = ("unpaid" if inv["status"] == "open" else "no_payment_required" if sub["trial_end"] else "paid")
    held["customer_details"] = {"address": None, "email": customer["email"], "name": customer["name"],
                                "phone": customer["phone"], "tax_exempt": "none", "tax_ids": [],
                                "business_name": None, "individual_name": None}
    store.emit("checkout.session.completed", held)
    return held


def must_be_open(held):
    """A session is paid once."""
    if held["status"] != "open":
        raise Refused(f"this session is {held['status']}")


def _use_code(store, held, code):
    found = catalog.promotion_by_code(store, code) if held["allow_promotion_codes"] else None
    if not found:
        raise Refused("This code is invalid.", "resource_missing", "promotion_code")
    held["_discounts"] = [{"promotion_code": found["id"]}]
    held["discounts"] = [{"coupon": None, "promotion_code": found["id"]}]
    _amounts(store, held)


def refuse(store, held):
    """The customer's card is declined: the session stays open, and nothing begins."""
    must_be_open(held)
    store.counts["declined_at_checkout"] += 1
    return held


def arrive(store, held, good):
    """The money of a method that takes days comes, or does not."""
    inv = store.objects.get(held["invoice"])
    if inv is None or held["payment_status"] != "unpaid":
        raise Refused("nothing is on its way for this session")
    life.conclude(store, inv, payments.arrive(store, inv, good))
    if good:
        held["payment_status"] = "paid"
    store.emit(f"checkout.session.async_payment_{'succeeded' if good else 'failed'}", held)
    return held


# ---- the portal ------------------------------------------------------------


def create_configuration(store, p):
    """POST billing_portal/configurations."""
    return store.add(_configuration(store, p, not store.all("billing_portal.configuration")))


def _configuration(store, p, first):
    profile = {**objects.none("headline privacy_policy_url terms_of_service_url"), **(p.get("business_profile") or {})}
    off = {"enabled": False}
    features = {"customer_update": {"allowed_updates": [], **off}, "invoice_history": off, "payment_method_update": off,
                "subscription_cancel": {"cancellation_reason": {"enabled": False, "options": []}, "enabled": False,
                                        "mode": "at_period_end", "proration_behavior": "none"},
                "subscription_update": {"default_allowed_updates": [], "enabled": False, "products": [],
                                        "proration_behavior": "none"}}
    for name, given in (p.get("features") or {}).items():
        features[name] = {**features[name], **(given or {})}
    return {"id": objects.new_id("bpc_"), "object": "billing_portal.configuration", "active": p.get("active", True),
            "application": None, "business_profile": profile, "created": store.now(),
            "default_return_url": p.get("default_return_url"), "features": features, "is_default": first,
            "livemode": False, "login_page": {"enabled": False, "url": None}, "name": p.get("name"),
            "metadata": merge_metadata({}, p.get("metadata") or {}), "updated": store.now()}


def update_configuration(store, p, ident):
    """POST billing_portal/configurations/{id}."""
    held = store.get("billing_portal.configuration", ident)
    for name, given in (p.get("features") or {}).items():
        held["features"][name] = {**held["features"][name], **(given or {})}
    return catalog.change(store, held, p, "active default_return_url name", "billing_portal.configuration.updated")


def create_portal(store, p):
    """POST billing_portal/sessions."""
    customer = catalog.living(store, p["customer"])
    known = store.all("billing_portal.configuration")
    if p.get("configuration"):
        used = store.get("billing_portal.configuration", p["configuration"], "configuration")
    elif known:
        used = next(c for c in known if c["is_default"])
    elif store.state.settings["stripe_portal_default"]:
        used = create_configuration(store, {"features": {name: {"enabled": True} for name in (
            "invoice_history", "payment_method_update", "subscription_cancel")}})
    else:
        raise Refused("No configuration provided and your test mode default configuration has not been created. Provide a "
                      "configuration or create your default by saving your customer portal settings in test mode.")
    ident = objects.new_id("test_", 45)
    flow = p.get("flow_data")
    return store.add({
        "id": objects.new_id("bps_"), "object": "billing_portal.session", "configuration": used["id"],
        "created": store.now(), "customer": customer["id"], "customer_account": None, "flow": flow, "livemode": False,
        "locale": p.get("locale"), "on_behalf_of": None, "return_url": p.get("return_url") or used["default_return_url"],
        "url": f"{store.base}/p/session/{ident}", "_secret": ident})
