"""What tests tell the sandbox's Stripe: the clock, what a customer does, and what has happened so far."""
import json
from collections import Counter

from aiohttp import web

import stripe_catalog as catalog
import stripe_checkout as checkout
import stripe_life as life
import stripe_meters as meters
import stripe_payments as payments
from faults import json_response
from stripe_form import Refused
from stripe_objects import new_id

AT = "/_sandbox/stripe"


class StripeControl:
    """The routes below /_sandbox/stripe."""

    def __init__(self, state, sender):
        self.state, self.sender = state, sender

    def routes(self):
        """All routes, for the application."""
        return [web.get(AT, self.view), web.get(AT + "/requests", self.requests), web.get(AT + "/clock", self.read_clock),
                web.post(AT + "/clock", self.doing(self.clock)), web.post(AT + "/checkout/{id}", self.doing(self.checkout)),
                web.post(AT + "/customers/{id}", self.doing(self.customer)),
                web.post(AT + "/invoices/{id}", self.doing(self.invoice)),
                web.post(AT + "/charges/{id}", self.doing(self.charge)), web.post(AT + "/send", self.doing(self.send))]

    def doing(self, work):
        """A route that does something: what is due comes first, and what a rule has put in another order is sent after it."""
        async def route(request):
            store = self.state.stripe
            if not hasattr(store, "base"):
                store.base = f"{request.scheme}://{request.host}/stripe"
            try:
                given = json.loads(await request.read() or b"{}")
                store.run()
                result = work(store, given, request.match_info.get("id"))
            except Refused as e:
                return json_response(e.status, {"error": e.error["message"]})
            except (ValueError, KeyError, TypeError) as e:
                return json_response(400, {"error": f"{type(e).__name__}: {e}"})
            for one in list(self.state.subjects.values()):
                if one.held:
                    self.sender.release(one)
            return json_response(200, result)
        return route

    # ---- what happens --------------------------------------------------

    async def read_clock(self, request):
        """What time it is there."""
        return json_response(200, {"now": self.state.stripe.now()})

    @staticmethod
    def clock(store, given, _):
        """Time goes on: {"advance": seconds} or {"to": unix}; before there is anything it may be put back, too."""
        store.advance(given["to"] if "to" in given else store.now() + given["advance"])
        return {"now": store.now()}

    @staticmethod
    def checkout(store, given, ident):
        """The customer pays or does not; later, the money of a method that takes days comes or does not."""
        held = store.get("checkout.session", ident)
        if "settle" in given:
            checkout.arrive(store, held, given["settle"])
        elif given["pay"]:
            kind = {"card": "card", "delayed": "sepa_debit"}[given.get("method", "card")]
            checkout.complete(store, held, kind, given.get("promotion_code"))
        else:
            checkout.refuse(store, held)
        return store.told(held)

    @staticmethod
    def customer(store, given, ident):
        """The customer's card from now on: good, declines, detached; or renewed by his bank."""
        customer = catalog.living(store, ident, "id")
        if given["card"] not in ("good", "declines", "detached", "renewed"):
            raise ValueError("card is good, declines, detached or renewed")
        if given["card"] == "renewed":
            return store.told(catalog.renew(store, customer))
        for method in store.all("payment_method"):
            if method["customer"] == ident:
                catalog.detach(store, method)
        new = None if given["card"] == "detached" else catalog.attach(store, customer, given["card"] == "good")
        for sub in store.all("subscription"):
            if sub["customer"] == ident and sub["status"] not in life.ENDED and sub["default_payment_method"]:
                with store.changing(sub, life.TOLD):
                    sub["default_payment_method"] = new and new["id"]
        return store.told(customer)

    @staticmethod
    def invoice(store, given, ident):
        """The money of an invoice that is under way comes, or does not: {"settle": true}."""
        inv = store.get("invoice", ident)
        life.conclude(store, inv, payments.arrive(store, inv, given["settle"]))
        return store.told(inv)

    @staticmethod
    def charge(store, given, ident):
        """A refund by hand, {"refund": true or an amount}, or a dispute, {"dispute": true or its reason}."""
        held = store.get("charge", ident)
        if "refund" in given:
            amount = {} if given["refund"] is True else {"amount": given["refund"]}
            return store.told(payments.refund(store, {"charge": ident, **amount}))
        if "close_dispute" in given:
            return store.told(payments.close_dispute(store, held, given["close_dispute"]))
        reason = given["dispute"]
        return store.told(payments.dispute(store, held, "fraudulent" if reason is True else reason))

    def send(self, store, given, _):
        """Any event at all, truly signed: {"type", "object"} with what of the event is to be otherwise."""
        event = {"id": new_id("evt_"), "object": "event", "api_version": self.state.settings["stripe_webhook_version"],
                 "created": store.now(), "data": {"object": given.get("object", {})}, "livemode": False, "pending_webhooks": 1,
                 "request": {"id": None, "idempotency_key": None}, "type": given["type"], **given.get("event", {})}
        store.events[event["id"]] = event
        self.sender.emit(store.account(), given["type"], event)
        return event

    # ---- what has happened ---------------------------------------------

    async def requests(self, request):
        """All requests to the API: method, path, status, version, idempotency_key, replayed."""
        query = request.query
        return json_response(200, [r for r in self.state.stripe.requests
                                   if all(str(r.get(k)) == v for k, v in query.items())])

    async def view(self, request):
        """All that whoever counts money wants to know."""
        store = self.state.stripe
        charges = [c for c in store.all("charge") if c["status"] == "succeeded"]
        by_customer, times, refunded = Counter(), Counter(), Counter()
        for c in charges:
            by_customer[c["customer"]] += c["amount"]
            times[c["customer"]] += 1
            refunded[c["customer"]] += c["amount_refunded"]
        return json_response(200, {
            "now": store.now(), "customers": len([c for c in store.all("customer") if not c.get("deleted")]),
            "deleted_customers": len([c for c in store.all("customer") if c.get("deleted")]),
            "products": len(store.all("product")), "prices": len(store.all("price")),
            "subscriptions": _by_status(store, "subscription"), "sessions": _by_status(store, "checkout.session"),
            "invoices": _by_status(store, "invoice"), "charges": len(charges), "charged": by_customer,
            "charges_by_customer": times, "refunded": refunded, "refunds": len(store.all("refund")),
            "disputes": len(store.all("dispute")), "failed_charges": len(store.all("charge")) - len(charges),
            "payment_attempts": store.counts["payment_attempts"],
            "declined_at_checkout": store.counts["declined_at_checkout"], "meters": meters.view(store),
            "meter_events": {name: store.counts["meter_events" + tail] for name, tail in (
                ("asked", ""), ("repeated", "_repeated"), ("canceled", "_canceled"))},
            "idempotency_keys": {key: entry["replays"] for key, entry in store.keys.items()},
            "requests": len(store.requests), "events": Counter(e["type"] for e in store.events.values()),
            "versions": sorted({str(r["version"]) for r in store.requests})})


def _by_status(store, kind):
    return Counter(o["status"] for o in store.all(kind))
