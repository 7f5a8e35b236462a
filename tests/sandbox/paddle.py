"""Paddle: its API below /paddle, the signed notifications, and what tests tell it below /_sandbox/paddle."""
import hashlib
import hmac
import json
import time
import uuid

from aiohttp import web

from faults import Reply, What, dump, json_response, perform
from paddle_objects import new_id, shown
from paddle_store import MODES, Refused
from stripe_store import subject
from webhooks import Delivery, corrupt

AT = "/_sandbox/paddle"
CODES = {401: "authentication_missing", 403: "forbidden", 404: "not_found", 409: "conflict", 429: "too_many_requests"}
# What a subscription does when it is told to.
DEEDS = {"renew": "renew", "past_due": "fail", "recover": "recover", "pause": "pause", "resume": "resume", "cancel": "cancel"}


def signature(body, secrets, at):
    """Paddle-Signature: one h1 for each secret."""
    text = str(at).encode() + b":" + body
    marks = [hmac.new(secret.encode(), text, hashlib.sha256).hexdigest() for secret in secrets]
    return ";".join([f"ts={at}", *("h1=" + mark for mark in marks)])


class Paddle:
    """The routes below /paddle."""

    name = "paddle"

    def __init__(self, state, sender):
        self.state, self.sender = state, sender
        sender.providers[self.name] = self

    def routes(self):
        """All routes, for the application."""
        at, one = "/paddle/subscriptions", "/paddle/subscriptions/{id}"
        return [web.get(at, self.ask(self.list, "list", "subscriptions")), web.get(one, self.ask(self.get, "get", "subscriptions")),
                web.patch(one, self.ask(self.change, "update", "subscriptions")),
                web.post(one + "/cancel", self.ask(self.cancel, "update", "subscriptions/cancel")),
                web.get("/paddle/transactions", self.ask(self.list, "list", "transactions")),
                web.get("/paddle/transactions/{id}", self.ask(self.get, "get", "transactions")),
                web.get("/paddle/customers", self.ask(self.list, "list", "customers")),
                web.get("/paddle/customers/{id}", self.ask(self.get, "get", "customers")),
                web.route("*", "/paddle/{rest:.*}", self.ask(self.nowhere, "get", "")),
                web.get(AT, self.view), web.post(AT + "/prices", self.told(self.make_price)),
                web.post(AT + "/customers", self.told(self.make_customer)),
                web.post(AT + "/customers/{id}", self.told(self.change_customer)),
                web.post(AT + "/subscriptions", self.told(self.begin)), web.post(AT + "/subscriptions/{id}", self.told(self.do)),
                web.post(AT + "/send", self.told(self.send))]

    @property
    def store(self):
        """What this account holds now."""
        return self.state.paddle

    # ---- answers -------------------------------------------------------

    @staticmethod
    def error(status, body=None):
        """An error body."""
        code = CODES.get(status, "internal_error" if status >= 500 else "bad_request")
        body = body or {"type": "api_error" if status >= 500 else "request_error", "code": code,
                        "detail": "The request could not be carried out",
                        "documentation_url": f"https://developer.paddle.com/v1/errors/shared/{code}"}
        return {"error": body, "meta": {"request_id": str(uuid.uuid4())}}

    @staticmethod
    def with_id(body, ident):
        """The body with another id of what it tells, without any where it is None."""
        data = {k: v for k, v in body["data"].items() if k != "id"} if isinstance(body.get("data"), dict) else body.get("data")
        return {**body, "data": data if ident is None or not isinstance(data, dict) else {**data, "id": ident}}

    def ask(self, work, operation, kind):
        """A route of the API: rules first, then the key, then the work."""
        async def route(request):
            raw, ident = await request.read(), request.match_info.get("id")

            def answer(_act):
                try:
                    self._allowed(request)
                    return Reply(200, {"meta": {"request_id": str(uuid.uuid4())}, **work(request, kind.partition("/")[0], raw)})
                except Refused as e:
                    return Reply(e.status, self.error(e.status, e.body))

            held = self.store.subscriptions.get(ident) or self.store.transactions.get(ident) or {}
            what = What(self.name, operation, held.get("customer_id") or request.query.get("customer_id") or ident, (kind, request.path))
            response = await perform(self, request, what, answer)
            self.store.requests.append({"method": request.method, "path": request.path, "status": response.status, "at": time.time()})
            self._release()
            return response
        return route

    def _release(self):
        for one in list(self.state.subjects.values()):
            if one.held:
                self.sender.release(one)

    def _allowed(self, request):
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        keys = self.state.settings["paddle_keys"]
        if scheme.lower() != "bearer" or not key:
            raise Refused(403, "authentication_missing", "Authentication header not included")
        if key == "bad" or (keys and key not in keys):
            raise Refused(403, "forbidden", "You aren't permitted to perform this request")

    # ---- the API -------------------------------------------------------

    def nowhere(self, request, kind, raw):
        """Any other path."""
        raise Refused(404, "invalid_url", "Invalid URL requested")

    def get(self, request, kind, raw):
        """One thing."""
        return {"data": shown(self.store.get(kind, request.match_info["id"]))}

    def list(self, request, kind, raw):
        """One page of all things of a kind, newest first, narrowed by its query."""
        query = request.query
        found = list(reversed(getattr(self.store, kind).values()))
        for name in ("customer_id", "subscription_id", "status", "id", "email"):
            if query.get(name):
                found = [o for o in found if str(o.get(name)) in query[name].split(",")]
        ids = [o["id"] for o in found]
        if query.get("after") and query["after"] in ids:
            found = found[ids.index(query["after"]) + 1:]
        try:
            size = min(200, max(1, int(query.get("per_page", "50"))))
        except ValueError as e:
            raise Refused(400, "bad_request", "Invalid request.", "per_page") from e
        data = found[:size]
        rest = {k: v for k, v in query.items() if k != "after"}
        more = request.url.with_query({**rest, "after": data[-1]["id"]}) if data else request.url
        return {"data": shown(data), "meta": {"request_id": str(uuid.uuid4()), "pagination": {
            "per_page": size, "next": str(more), "has_more": len(found) > size, "estimated_total": len(ids)}}}

    @staticmethod
    def _body(raw, allowed):
        try:
            given = json.loads(raw or b"{}")
        except ValueError as e:
            raise Refused(400, "invalid_json", "Request body is not valid JSON") from e
        unknown = set(given) - allowed if isinstance(given, dict) else {"body"}
        if unknown:
            raise Refused(400, "bad_request", f"additional property {sorted(unknown)[0]} is not allowed", sorted(unknown)[0])
        return given

    def cancel(self, request, kind, raw):
        """POST subscriptions/{id}/cancel: with the period, unless at once is asked for."""
        given = self._body(raw, {"effective_from"})
        how = given.get("effective_from") or "next_billing_period"
        if how not in ("next_billing_period", "immediately"):
            raise Refused(400, "bad_request", "must be one of next_billing_period, immediately", "effective_from")
        sub = self.store.get(kind, request.match_info["id"])
        return {"data": shown(self.store.cancel(sub, how == "next_billing_period" and sub["status"] != "paused"))}

    def change(self, request, kind, raw):
        """PATCH subscriptions/{id}."""
        given = self._body(raw, {"items", "proration_billing_mode", "on_payment_failure", "custom_data", "scheduled_change", "collection_mode"})
        sub = self.store.get(kind, request.match_info["id"])
        items = given.get("items", [])
        if not isinstance(items, list) or not all(isinstance(i, dict) and i.get("price_id") in self.store.prices for i in items):
            raise Refused(400, "bad_request", "price_id is not that of a price", "items")
        if "items" in given and (not items or given.get("proration_billing_mode") not in MODES):
            raise Refused(400, "bad_request", "items and proration_billing_mode are required together", "proration_billing_mode")
        if given.get("scheduled_change") is not None:
            raise Refused(400, "bad_request", "must be null", "scheduled_change")
        return {"data": shown(self.store.change(sub, given))}

    # ---- notifications -------------------------------------------------

    def delivery(self, one, event, how):
        """The request that tells an event; None where nobody listens."""
        settings = self.state.settings
        if not settings["paddle_webhook_url"]:
            return None
        secrets, body = settings["paddle_webhook_secret"], corrupt(dump(event), how)
        mark = signature(body, secrets if isinstance(secrets, list) else [secrets], int(time.time()))
        plan = {"type": "exponential", "maxRetries": settings["paddle_webhook_retries"], "baseDelaySeconds": 1}
        return Delivery(settings["paddle_webhook_url"], {"Content-Type": "application/json", "Paddle-Signature": mark}, body, 5,
                        plan, ["Paddle-Signature"])

    # ---- control -------------------------------------------------------

    def told(self, work):
        """A route of the control."""
        async def route(request):
            try:
                self.state.stripe.run()
                result = work(json.loads(await request.read() or b"{}"), request.match_info.get("id"))
            except Refused as e:
                return json_response(e.status, {"error": str(e)})
            except (KeyError, ValueError, TypeError) as e:
                return json_response(400, {"error": f"{type(e).__name__}: {e}"})
            self._release()
            return json_response(200, shown(result))
        return route

    async def view(self, request):
        """What has happened."""
        return json_response(200, self.store.view())

    def make_price(self, given, _):
        """A price: id, amount, currency, interval, name, product_name."""
        return self.store.make_price(given)

    def make_customer(self, given, _):
        """A customer: email, name, custom_data."""
        return self.store.make_customer(given)

    def change_customer(self, given, ident):
        """Another name, another card."""
        return self.store.change_customer(self.store.get("customers", ident), given)

    def begin(self, given, _):
        """Somebody buys: items, custom_data, customer_id or email, status."""
        return self.store.begin(given)

    def do(self, given, ident):
        """What becomes of a subscription."""
        sub, deed = self.store.get("subscriptions", ident), given.pop("do")
        if deed == "update":
            return self.store.change(sub, given)
        if deed == "cancel_at_period_end":
            return self.store.cancel(sub, later=True)
        return getattr(self.store, DEEDS[deed])(sub)

    def send(self, given, _):
        """A notification of any kind about anything, truly signed."""
        event = {"event_id": new_id("evt_"), "event_type": given["type"], "occurred_at": None, "notification_id": new_id("ntf_"),
                 "data": given.get("data", {}), **given.get("event", {})}
        self.sender.emit(subject(self.state, "paddle", "account"), given["type"], event)
        return event
