"""All operations of Stripe that the sandbox knows: method, path, parameters, and what does it."""
from collections import namedtuple

import stripe_catalog as catalog
import stripe_checkout as checkout
import stripe_invoices as invoices
import stripe_life as life
import stripe_meters as meters
import stripe_params as P
import stripe_payments as payments
import stripe_preview as preview
import stripe_subscriptions as subs
from stripe_form import boolean, email, missing, one_of, text
from stripe_store import Page

Operation = namedtuple("Operation", "method path table work")
STATUS = {"status": text}


def getter(kind):
    """GET of one object of a kind."""
    def get(store, p, ident):
        return store.get(kind, ident)
    return get


def lister(kind):
    """GET of all objects of a kind."""
    def get(store, p):
        return store.list(kind, p)
    return get


def get_event(store, p, ident):
    """GET events/{id}."""
    if ident not in store.events:
        raise missing("event", ident)
    return store.events[ident]


def list_events(store, p):
    """GET events, of the last thirty days."""
    since, types = store.now() - 30 * 86400, p.get("types") or ([p["type"]] if p.get("type") else None)
    page = store.page([e for e in reversed(store.events.values())
                       if e["created"] > since and (not types or any(_fits(e["type"], t) for t in types))], p)
    return Page(page.data, page.more)


def _fits(kind, wanted):
    return kind.startswith(wanted[:-1]) if wanted.endswith("*") else kind == wanted


def _rows():
    yield from [
        ("POST", "customers", P.CUSTOMER, catalog.create_customer),
        ("GET", "customers", {**P.LIST, "email": email}, catalog.list_customers),
        ("GET", "customers/{id}", P.EXPAND, catalog.get_customer),
        ("POST", "customers/{id}", P.CUSTOMER, catalog.update_customer),
        ("DELETE", "customers/{id}", {}, subs.delete_customer),
        ("GET", "customers/{id}/payment_methods", {**P.LIST, "type": text}, catalog.list_methods),
        ("POST", "products", {**P.PRODUCT, "id": text, "name!": text}, catalog.create_product),
        ("GET", "products", {**P.LIST, "active": boolean, "ids": [text]}, catalog.list_products),
        ("GET", "products/{id}", P.EXPAND, getter("product")),
        ("POST", "products/{id}", {**P.PRODUCT, "default_price": text}, catalog.update_product),
        ("POST", "prices", P.PRICE, catalog.create_price),
        ("GET", "prices", {**P.LIST, "active": boolean, "product": text, "currency": text, "type": text,
                           "lookup_keys": [text],
                           "recurring": {"interval": text, "usage_type": text, "meter": text}}, catalog.list_prices),
        ("GET", "prices/{id}", P.EXPAND, getter("price")),
        ("POST", "prices/{id}", P.PRICE_CHANGE, catalog.update_price),
        ("POST", "coupons", P.COUPON, catalog.create_coupon), ("GET", "coupons", P.LIST, lister("coupon")),
        ("GET", "coupons/{id}", P.EXPAND, getter("coupon")),
        ("POST", "promotion_codes", P.PROMOTION, catalog.create_promotion),
        ("GET", "promotion_codes", {**P.LIST, "code": text, "active": boolean}, catalog.list_promotions),
        ("GET", "promotion_codes/{id}", P.EXPAND, getter("promotion_code")),
        ("GET", "payment_methods", {**P.LIST, "customer": text, "type": text}, catalog.list_methods),
        ("GET", "payment_methods/{id}", P.EXPAND, getter("payment_method")),
        ("POST", "payment_methods/{id}/detach", P.EXPAND, catalog.detach_method)]
    yield from [
        ("POST", "billing/meters", P.METER, meters.create), ("GET", "billing/meters", {**P.LIST, **STATUS}, meters.list_all),
        ("GET", "billing/meters/{id}", P.EXPAND, getter("billing.meter")),
        ("POST", "billing/meters/{id}/deactivate", P.EXPAND, meters.deactivate),
        ("GET", "billing/meters/{id}/event_summaries", P.SUMMARIES, meters.summaries),
        ("POST", "billing/meter_events", P.METER_EVENT, meters.record),
        ("POST", "billing/meter_event_adjustments", P.METER_ADJUSTMENT, meters.adjust),
        ("POST", "checkout/sessions", P.SESSION, checkout.create),
        ("GET", "checkout/sessions", {**P.LIST, **STATUS, "customer": text, "subscription": text, "payment_intent": text},
         checkout.list_all),
        ("GET", "checkout/sessions/{id}", P.EXPAND, checkout.get),
        ("POST", "checkout/sessions/{id}/expire", P.EXPAND, checkout.expire),
        ("GET", "checkout/sessions/{id}/line_items", P.LIST, checkout.list_lines),
        ("POST", "billing_portal/sessions", P.PORTAL, checkout.create_portal),
        ("POST", "billing_portal/configurations", {**P.CONFIGURATION, "features!": P.FEATURES}, checkout.create_configuration),
        ("GET", "billing_portal/configurations", {**P.LIST, "active": boolean, "is_default": boolean},
         lister("billing_portal.configuration")),
        ("GET", "billing_portal/configurations/{id}", P.EXPAND, getter("billing_portal.configuration")),
        ("POST", "billing_portal/configurations/{id}", P.CONFIGURATION, checkout.update_configuration)]
    yield from [
        ("POST", "subscriptions", P.SUBSCRIPTION, subs.create),
        ("GET", "subscriptions", {**P.LIST, **STATUS, "customer": text, "price": text}, subs.list_all),
        ("GET", "subscriptions/{id}", P.EXPAND, subs.get), ("POST", "subscriptions/{id}", P.SUB_CHANGE, subs.update),
        ("DELETE", "subscriptions/{id}", P.SUB_CANCEL, subs.cancel),
        ("POST", "subscriptions/{id}/resume", P.SUB_RESUME, subs.resume),
        ("GET", "subscription_items", {**P.LIST, "subscription!": text}, subs.list_items),
        ("POST", "invoices/create_preview", P.PREVIEW, preview.preview),
        ("GET", "invoices", {**P.LIST, "customer": text, "subscription": text,
                             "status": one_of("draft", "open", "paid", "uncollectible", "void")}, invoices.list_all),
        ("GET", "invoices/{id}", P.EXPAND, invoices.get), ("POST", "invoices/{id}", P.INVOICE_CHANGE, invoices.update),
        ("GET", "invoices/{id}/lines", P.LIST, invoices.list_lines),
        ("POST", "invoices/{id}/finalize", {**P.EXPAND, "auto_advance": boolean}, life.finalize),
        ("POST", "invoices/{id}/pay", {**P.EXPAND, "payment_method": text, "off_session": boolean}, life.pay),
        ("POST", "invoices/{id}/void", P.EXPAND, life.void),
        ("GET", "invoice_payments", {**P.LIST, **STATUS, "invoice": text, "payment": {"type!": text, "payment_intent": text}},
         payments.list_ties),
        ("GET", "invoice_payments/{id}", P.EXPAND, getter("invoice_payment")),
        ("GET", "payment_intents", {**P.LIST, "customer": text}, payments.list_intents),
        ("GET", "payment_intents/{id}", P.EXPAND, getter("payment_intent")),
        ("GET", "charges", {**P.LIST, "customer": text, "payment_intent": text}, payments.list_charges),
        ("GET", "charges/{id}", P.EXPAND, getter("charge")),
        ("POST", "refunds", P.REFUND, payments.refund),
        ("GET", "refunds", {**P.LIST, "charge": text, "payment_intent": text}, payments.list_refunds),
        ("GET", "refunds/{id}", P.EXPAND, getter("refund")), ("GET", "disputes", P.LIST, lister("dispute")),
        ("GET", "disputes/{id}", P.EXPAND, getter("dispute")),
        ("GET", "events", {**P.LIST, "type": text, "types": [text]}, list_events), ("GET", "events/{id}", P.EXPAND, get_event)]


OPERATIONS = [Operation(*row) for row in _rows()]


def find(method, path):
    """The operation of a request and the ids in its path; None where there is none."""
    parts = path.strip("/").split("/")
    for op in OPERATIONS:
        names = op.path.split("/")
        if op.method == method and len(names) == len(parts) and all(n == "{id}" or n == part for n, part in zip(names, parts)):
            return op, [part for n, part in zip(names, parts) if n == "{id}"]
    return None, []
