"""Stripe: its API below /stripe/v1, and the signed events that it sends."""
import base64
import hashlib
import hmac
import json
import time

from aiohttp import web

import stripe_expand as expand
from faults import Reply, What, dump, json_response, perform
from stripe_form import Refused, check, decode
from stripe_objects import new_id
from stripe_table import find
from webhooks import Delivery, corrupt

DAY = 86400
MESSAGES = {409: ("This object cannot be accessed right now because another API request or Stripe process is currently "
                  "accessing it.", "lock_timeout"),
            429: ("Too many requests. Please back off.", "rate_limit")}
IN_USE = ("There is currently another in-progress request using this Idempotent Key (that probably means you submitted "
          "twice, and the other request is still going through). Please try again later.")
OTHER = ("Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a "
         "key other than '%s' if you meant to execute a different request.")


def signature(body, secrets, at):
    """Stripe-Signature: one v1 for each secret."""
    text = str(at).encode() + b"." + body
    marks = [hmac.new(secret.encode(), text, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={at}", *("v1=" + mark for mark in marks)])


class Asked:
    """One request: what it asks, by which key, in which version."""

    def __init__(self, request, body):
        self.method, self.path = request.method, request.match_info["tail"]
        self.op, self.ids = find(self.method, self.path)
        self.texts = request.query_string, body.decode("utf-8", "replace")
        self.version = request.headers.get("Stripe-Version")
        self.key = request.headers.get("Idempotency-Key") if self.method == "POST" else None
        self.base = f"{request.scheme}://{request.host}/stripe"
        self.id = new_id("req_", 14)
        self.secret = _secret(request.headers.get("Authorization", ""))
        self.print = hashlib.sha256(json.dumps([self.method, self.path, sorted(self._pairs())]).encode()).hexdigest()
        self.replayed = False

    def _pairs(self):
        return [pair for text in self.texts for pair in text.split("&")]

    def customer(self, store):
        """Whom it is about, for rules."""
        try:
            p = decode(*self.texts)
        except Refused:
            return None
        held = store.objects.get(self.ids[0] if self.ids else None) or {}
        payload = p.get("payload")
        return (p.get("customer") or (payload.get("stripe_customer_id") if isinstance(payload, dict) else None)
                or (held.get("id") if held.get("object") == "customer" else held.get("customer")))

    def operation(self):
        """What rules call it."""
        return {"DELETE": "delete", "GET": "get" if self.ids else "list", "POST": "update" if self.ids else "create"}[self.method]


def _secret(header):
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest).decode().partition(":")[0]
        except ValueError:
            return "?"
    return ""


class Stripe:
    """The routes below /stripe/v1, and how events are sent."""

    name = "stripe"

    def __init__(self, state, life, sender):
        self.state, self.sender = state, sender
        state.sender = sender
        sender.providers[self.name] = self

    def routes(self):
        """All routes, for the application."""
        return [web.route("*", "/stripe/v1/{tail:.*}", self.ask)]

    @property
    def store(self):
        """What this account holds now."""
        return self.state.stripe

    # ---- answers -------------------------------------------------------

    @staticmethod
    def error(status):
        """An error body for a status that a rule asks for."""
        if status == 402:
            return {"error": {"code": "card_declined", "decline_code": "generic_decline", "type": "card_error",
                              "message": "Your card was declined."}}
        message, code = MESSAGES.get(status, ("An unknown error occurred", None))
        kind = "api_error" if status >= 500 else "invalid_request_error"
        return {"error": {**({"code": code} if code else {}), "message": message, "type": kind}}

    @staticmethod
    def with_id(body, ident):
        """The body with another id, without any where it is None."""
        out = {k: v for k, v in body.items() if k != "id"}
        return out if ident is None else {**out, "id": ident}

    def _reply(self, asked, status, body):
        if "error" in body and status < 500 and status not in (401, 409):
            body = {"error": {**body["error"], "request_log_url": f"https://dashboard.stripe.com/test/logs/{asked.id}"}}
        headers = {"Request-Id": asked.id}
        if asked.version:
            headers["Stripe-Version"] = asked.version
        if asked.key:
            headers["Idempotency-Key"] = asked.key
        return Reply(status, body, headers)

    # ---- requests ------------------------------------------------------

    async def ask(self, request):
        """Any request."""
        asked = Asked(request, await request.read())
        self.store.base = asked.base
        if request.method not in ("GET", "POST", "DELETE"):
            return self._plain(asked, 405, "Invalid request method.")
        known = self.store.keys.get(asked.key) if asked.key else None
        if known and known["at"] <= self.store.now() - DAY:
            known = None
        if known and known["print"] != asked.print:
            return self._told(asked, self._reply(asked, 400, {"error": {"message": OTHER % asked.key, "type": "idempotency_error"}}))
        if known and known["reply"] is None:
            return self._told(asked, self._reply(asked, 409, {"error": {
                "code": "idempotency_key_in_use", "message": IN_USE, "type": "idempotency_error"}}))
        if known or not asked.key:
            return await self._perform(request, asked, known)
        entry = self.store.keys[asked.key] = {"at": self.store.now(), "print": asked.print, "reply": None, "replays": 0}
        return await self._first(request, asked, entry)

    async def _first(self, request, asked, entry):
        """The first request with a key: its result is kept, unless nothing was done."""
        keys = self.store.keys
        try:
            response = await self._perform(request, asked, entry)
            gone = request.transport is None or request.transport.is_closing()
            if response.status >= 500 and not gone and isinstance(response, web.Response):
                entry["reply"] = Reply(response.status, (response.body or b"").decode("utf-8", "replace"), {"Request-Id": asked.id})
            return response
        finally:
            if entry["reply"] is None and keys.get(asked.key) is entry:
                del keys[asked.key]

    async def _perform(self, request, asked, entry):
        what = What(self.name, asked.operation(), asked.customer(self.store), _kinds(asked))
        response = await perform(self, request, what, lambda act: self._work(asked, entry))
        self._log(asked, response.status)
        for one in list(self.state.subjects.values()):
            if one.held:
                self.sender.release(one)
        return response

    def _told(self, asked, reply):
        self._log(asked, reply.status)
        return json_response(reply.status, reply.body, reply.headers)

    def _plain(self, asked, status, message):
        return self._told(asked, self._reply(asked, status, {"error": {"message": message, "type": "invalid_request_error"}}))

    def _log(self, asked, status):
        self.store.requests.append({"method": asked.method, "path": asked.path, "status": status, "at": time.time(),
                                    "version": asked.version, "idempotency_key": asked.key, "request_id": asked.id,
                                    "replayed": asked.replayed})

    def _work(self, asked, entry):
        """The true answer: what was kept under the key, else what is done now."""
        if entry and entry["reply"] is not None:
            first, asked.replayed = entry["reply"], True
            entry["replays"] += 1
            return first._replace(headers={**first.headers, "Original-Request": first.headers["Request-Id"],
                                           "Request-Id": asked.id, "Idempotent-Replayed": "true"})
        store, keep = self.store, True
        try:
            reply = self._reply(asked, 200, self._done(asked))
        except Refused as e:
            keep, reply = e.kept, self._reply(asked, e.status, {"error": e.error})
        finally:
            store.request = {"id": None, "idempotency_key": None}
        if entry and keep:
            entry["reply"] = reply
        return reply

    def _done(self, asked):
        self._allowed(asked)
        if asked.op is None:
            raise Refused(f"Unrecognized request URL ({asked.method}: /v1/{asked.path}). Please see https://stripe.com/docs "
                          "or we can help at https://support.stripe.com/.", status=404)
        if asked.key is not None and not 1 <= len(asked.key) <= 255:
            raise Refused("Idempotency keys must be between 1 and 255 characters long.", kind="idempotency_error")
        store = self.store
        version = expand.version_of(self.state, asked.version)
        p = check(asked.op.table, decode(*asked.texts))
        store.run()
        if asked.method != "GET":
            store.request = {"id": asked.id, "idempotency_key": asked.key}
        return expand.answer(store, asked.op.work(store, p, *asked.ids), version, asked.op, p)

    def _allowed(self, asked):
        keys = self.state.settings["stripe_keys"]
        if not asked.secret:
            raise Refused("You did not provide an API key. You need to provide your API key in the Authorization header, "
                          "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').", status=401)
        if asked.secret == "bad" or (keys and asked.secret not in keys):
            raise Refused("Invalid API Key provided: " + "*" * 12 + asked.secret[-4:], status=401)

    # ---- events --------------------------------------------------------

    def delivery(self, one, event, how):
        """The request that tells an event; None where nobody listens."""
        settings = self.state.settings
        if not settings["stripe_webhook_url"]:
            return None
        secrets = settings["stripe_webhook_secret"]
        body = corrupt(dump(event), how)
        mark = signature(body, secrets if isinstance(secrets, list) else [secrets], int(time.time()))
        headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": mark,
                   "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)"}
        plan = {"type": "exponential", "maxRetries": settings["stripe_webhook_retries"], "baseDelaySeconds": 1}
        return Delivery(settings["stripe_webhook_url"], headers, body, 30, plan, ["Stripe-Signature"])


def _kinds(asked):
    """What rules may name as type: the path, also with its ids left out."""
    return (asked.path, asked.op.path if asked.op else "", asked.op.path.replace("/{id}", "") if asked.op else "")
