"""Stripe's customers, products, prices, meters, coupons and payment methods."""
from decimal import Decimal

import stripe_money as money
import stripe_objects as objects
from stripe_form import Refused, merge_metadata, missing


def change(store, held, p, names, kind):
    """Set the named attributes that were given, and the metadata."""
    with store.changing(held, kind):
        for name in names.split():
            if name in p:
                held[name] = p[name]
        if "metadata" in p:
            held["metadata"] = merge_metadata(held["metadata"], p["metadata"])
    return held


def new(store, held, p, kind=None):
    """Keep a new object with its metadata, and tell of it."""
    held["metadata"] = merge_metadata({}, p.get("metadata") or {})
    store.add(held)
    if kind:
        store.emit(kind, held)
    return held


# ---- customers -------------------------------------------------------------


def create_customer(store, p):
    """POST customers."""
    return new(store, objects.customer(store.now(), p), p, "customer.created")


def update_customer(store, p, ident):
    """POST customers/{id}."""
    held = living(store, ident, "id")
    method = (p.get("invoice_settings") or {}).get("default_payment_method")
    if method and store.get("payment_method", method, "invoice_settings[default_payment_method]")["customer"] != ident:
        raise Refused("The customer does not have a payment method with the ID " + method, "resource_missing",
                      "invoice_settings[default_payment_method]")
    with store.changing(held, "customer.updated"):
        held["invoice_settings"].update(p.get("invoice_settings") or {})
        if "address" in p:
            held["address"] = objects.address(p["address"])
        for name in ("email", "name", "phone", "description", "balance", "preferred_locales", "tax_exempt"):
            if name in p:
                held[name] = p[name]
        if "metadata" in p:
            held["metadata"] = merge_metadata(held["metadata"], p["metadata"])
    return held


def living(store, ident, param="customer"):
    """A customer that is not deleted."""
    held = store.get("customer", ident, param)
    if held.get("deleted"):
        raise missing("customer", ident, param)
    return held


def get_customer(store, p, ident):
    """GET customers/{id}; of a deleted one only that it is."""
    return store.get("customer", ident)


def list_customers(store, p):
    """GET customers."""
    return store.list("customer", p, lambda o: p.get("email") in (None, o["email"]))


def delete_customer(store, ident):
    """Forget all of a customer but that he was; his subscriptions are the caller's to cancel."""
    held = living(store, ident, "id")
    store.emit("customer.deleted", held)
    kept = {"id": ident, "object": "customer", "deleted": True, "_created": held["created"]}
    held.clear()
    held.update(kept)
    return held


# ---- products and prices ---------------------------------------------------


def create_product(store, p):
    """POST products."""
    if p.get("id") in store.objects:
        raise Refused("Product already exists.", "resource_already_exists", "id")
    return new(store, objects.product(store.now(), p), p, "product.created")


def update_product(store, p, ident):
    """POST products/{id}."""
    held = store.get("product", ident)
    if "default_price" in p and store.get("price", p["default_price"], "default_price")["product"] != ident:
        raise Refused("The price does not belong to this product", param="default_price")
    held["updated"] = store.now()
    return change(store, held, p, "name description active unit_label statement_descriptor url tax_code default_price",
                  "product.updated")


def create_price(store, p):
    """POST prices."""
    amounts = _amounts(p)
    recurring = p.get("recurring")
    if recurring and recurring.get("usage_type") == "metered":
        if not recurring.get("meter"):
            raise Refused("Metered prices must be backed by a meter. Pass `recurring[meter]`.", param="recurring[meter]")
        store.get("billing.meter", recurring["meter"], "recurring[meter]")
    elif recurring and recurring.get("meter"):
        raise Refused("`recurring[meter]` is for metered prices", param="recurring[meter]")
    if not p.get("product") and not p.get("product_data"):
        raise Refused("You must specify either `product` or `product_data`.", "parameter_missing", "product")
    free_lookup_key(store, p, None)
    if p.get("product"):
        product = store.get("product", p["product"], "product")
    else:
        product = create_product(store, p["product_data"])
    return new(store, objects.price(store.now(), p, product["id"], amounts), p, "price.created")


def _amounts(p):
    if (p.get("unit_amount") is None) == (p.get("unit_amount_decimal") is None):
        raise Refused("You must specify one of `unit_amount` or `unit_amount_decimal`.", "parameter_missing", "unit_amount")
    if p.get("unit_amount") is not None:
        return p["unit_amount"], str(p["unit_amount"])
    number = Decimal(p["unit_amount_decimal"]).normalize()
    return (int(number) if number == int(number) else None), format(number, "f")


def free_lookup_key(store, p, held):
    """One price has a lookup key; it is handed over only when that is asked for."""
    key = p.get("lookup_key")
    for other in store.all("price") if key else ():
        if other["lookup_key"] == key and other is not held:
            if not p.get("transfer_lookup_key"):
                raise Refused(f"A price (`{other['id']}`) already uses that lookup key.", param="lookup_key")
            with store.changing(other, "price.updated"):
                other["lookup_key"] = None


def update_price(store, p, ident):
    """POST prices/{id}; amounts never change."""
    held = store.get("price", ident)
    free_lookup_key(store, p, held)
    return change(store, held, p, "active lookup_key nickname tax_behavior", "price.updated")


def list_prices(store, p):
    """GET prices."""
    def keep(o):
        recurring = o["recurring"] or {}
        wanted = p.get("recurring") or {}
        return (p.get("active") in (None, o["active"]) and p.get("product") in (None, o["product"])
                and p.get("currency") in (None, o["currency"]) and p.get("type") in (None, o["type"])
                and (not p.get("lookup_keys") or o["lookup_key"] in p["lookup_keys"])
                and all(recurring.get(k) == v for k, v in wanted.items()))
    return store.list("price", p, keep)


def list_products(store, p):
    """GET products."""
    return store.list("product", p, lambda o: p.get("active") in (None, o["active"])
                      and (not p.get("ids") or o["id"] in p["ids"]))


# ---- coupons ---------------------------------------------------------------


def create_coupon(store, p):
    """POST coupons."""
    if (p.get("percent_off") is None) == (p.get("amount_off") is None):
        raise Refused("Must provide percent_off or amount_off.", "parameter_missing")
    if p.get("amount_off") is not None and not p.get("currency"):
        raise Refused("You must pass currency when passing amount_off", "parameter_missing", "currency")
    if p.get("percent_off") and not 0 < Decimal(p["percent_off"]) <= 100:
        raise Refused("Invalid percent_off: must be between 0 and 100", param="percent_off")
    if p.get("id") in store.objects:
        raise Refused("Coupon already exists.", "resource_already_exists", "id")
    return new(store, money.coupon(store.now(), p), p, "coupon.created")


def create_promotion(store, p):
    """POST promotion_codes."""
    ident = (p.get("promotion") or {}).get("coupon") or p.get("coupon")
    if not ident:
        raise Refused("Missing required param: promotion.", "parameter_missing", "promotion")
    store.get("coupon", ident, "promotion[coupon]")
    if p.get("code") and promotion_by_code(store, p["code"]):
        raise Refused(f"An active promotion code with `code: {p['code']}` already exists.", "resource_already_exists", "code")
    return new(store, money.promotion_code(store.now(), p, ident), p, "promotion_code.created")


def promotion_by_code(store, code):
    """The code that a customer typed, or None."""
    for held in store.all("promotion_code"):
        if held["code"].lower() == code.lower() and held["active"]:
            return held
    return None


def list_promotions(store, p):
    """GET promotion_codes."""
    return store.list("promotion_code", p, lambda o: p.get("code") in (None, o["code"])
                      and p.get("active") in (None, o["active"]))


# ---- payment methods -------------------------------------------------------


def attach(store, customer, works=True, kind="card"):
    """A new card of a customer, his first choice from now on."""
    method = store.add(objects.payment_method(store.now(), customer, works, kind))
    store.emit("payment_method.attached", method)
    with store.changing(customer, "customer.updated"):
        customer["invoice_settings"]["default_payment_method"] = method["id"]
    return method


def detach(store, method):
    """Take a card away from its customer."""
    customer = store.objects.get(method["customer"])
    with store.changing(method, "payment_method.detached"):
        method["customer"] = None
    if customer and customer["invoice_settings"]["default_payment_method"] == method["id"]:
        with store.changing(customer, "customer.updated"):
            customer["invoice_settings"]["default_payment_method"] = None
    return method


def renew(store, customer):
    """The customer's bank gives him the same card for some years more."""
    method = store.get("payment_method", customer["invoice_settings"]["default_payment_method"], "card")
    with store.changing(method, "payment_method.automatically_updated"):
        method["card"]["exp_year"] += 4
    return method


def detach_method(store, p, ident):
    """POST payment_methods/{id}/detach."""
    method = store.get("payment_method", ident)
    if not method["customer"]:
        raise Refused("The payment method you provided is not attached to a customer so detachment is impossible.")
    return detach(store, method)


def list_methods(store, p, customer=None):
    """GET payment_methods, GET customers/{id}/payment_methods."""
    wanted = customer or p.get("customer")
    if wanted:
        store.get("customer", wanted, "customer")
    return store.list("payment_method", p, lambda o: wanted and o["customer"] == wanted
                      and p.get("type") in (None, o["type"]))
