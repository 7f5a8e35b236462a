"""SynthFlow: its call API and its post-call webhook."""
import base64
import hashlib
import hmac
import json
import re
import uuid

from aiohttp import web

import shapes
from faults import Reply, What, dump, json_response, perform
from webhooks import Delivery, corrupt

E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
CATEGORIES = {400: "validation_error", 401: "authentication_error", 402: "payment_required",
              403: "forbidden", 404: "not_found", 429: "rate_limit", 500: "internal_error"}
TEXTS = {401: "Invalid API key", 402: "Insufficient balance", 404: "Call not found",
         429: "Too many requests", 500: "Internal server error"}
LIMIT_TEXT = "Concurrency limit reached for this workspace"
STRINGS = ("model_id", "phone", "name", "from_phone_number", "lead_email", "lead_timezone",
           "prompt", "greeting", "external_webhook_url")
NUMBERS = ("limit", "offset", "from_date", "to_date", "duration_min", "duration_max")
QUERIES = {"model_id", "call_status", "lead_phone_number", *NUMBERS}


class Synthflow:
    """The routes below /synthflow/v2, and how calls of SynthFlow are told about."""

    name = "synthflow"

    def __init__(self, state, life, sender):
        self.state, self.life, self.sender = state, life, sender
        life.providers[self.name] = sender.providers[self.name] = self

    def routes(self):
        """All routes, for the application."""
        return [web.post("/synthflow/v2/calls", self.create),
                web.get("/synthflow/v2/calls", self.list),
                web.get("/synthflow/v2/calls/{id}", self.get),
                web.get("/synthflow/v2/assistants/", self.assistants),
                web.get("/synthflow/v2/assistants", self.assistants),
                web.route("*", "/synthflow/{rest:.*}", self.nowhere)]

    # ---- answers -----------------------------------------------------------

    @staticmethod
    def error(status, message=None):
        """An error body."""
        return {"detail": {"status": "error", "description": message or TEXTS.get(status, "Error"),
                           "request_id": str(uuid.uuid4()),
                           "category": CATEGORIES.get(status, "error")}}

    @staticmethod
    def with_id(body, ident):
        """The body with other call ids, without any where it is None."""
        def changed(one):
            out = {k: v for k, v in one.items() if k != "call_id"}
            return out if ident is None else {**out, "call_id": ident}

        answer = changed(body.get("response", {})) if "calls" not in body.get("response", {}) \
            else {**body["response"], "calls": [changed(c) for c in body["response"]["calls"]]}
        return {**body, "response": answer}

    def _fail(self, status, message=None):
        return Reply(status, self.error(status, message))

    def _refused(self, request):
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        keys = self.state.settings["synthflow_keys"]
        if scheme.lower() != "bearer" or not key or key == "bad" or (keys and key not in keys):
            return self._fail(401)
        return None

    @staticmethod
    def _page(calls, total, limit=20, offset=0):
        return Reply(200, {"status": "ok", "response": {"pagination": {
            "total_records": total, "limit": limit, "offset": offset}, "calls": calls}})

    async def nowhere(self, request):
        """Any other path."""
        return json_response(404, self.error(404, f"Cannot {request.method} {request.path}"))

    # ---- operations --------------------------------------------------------

    async def create(self, request):
        """POST /calls."""
        body = parse(await request.read())
        number = body.get("phone") if isinstance(body, dict) else None
        number = number if isinstance(number, str) else None
        self.state.counters.attempt(assignment(body))
        return await perform(self, request, What(self.name, "create", number),
                             lambda act: self._create(request, body, act))

    def _create(self, request, body, act):
        wrong = check(body)
        refused = self._refused(request)
        if refused or wrong:
            return refused or self._fail(400, wrong)
        if self.state.too_fast(self.name):
            return self._fail(429)
        verdict = self.state.gate(self.name, act)
        if verdict in ("400", "429"):
            return self._fail(int(verdict), LIMIT_TEXT)
        call = self.life.accept(self.name, body["phone"], assignment(body),
                                (body, act, verdict, None))
        return Reply(200, {"status": "ok", "response": {
            "answer": "Your call has been made", "call_id": call.id}, "eta": 5}, None, (call,))

    async def get(self, request):
        """GET /calls/{call_id}."""
        ident = request.match_info["id"]
        known = self.state.calls.get(ident)

        def answer(_act):
            call, refused = self.state.find(self.name, ident), self._refused(request)
            if refused or call is None:
                return refused or self._fail(404)
            return self._page([shapes.synthflow_call(call)], 1)

        return await perform(self, request, What(self.name, "get", known and known.number), answer)

    async def list(self, request):
        """GET /calls: newest first, by page."""
        number = request.query.get("lead_phone_number")
        return await perform(self, request, What(self.name, "list", number),
                             lambda act: self._list(request.query, self._refused(request)))

    def _list(self, query, refused):
        wrong = None if "model_id" in query else "model_id is required"
        for key in query:
            if key not in QUERIES:
                wrong = f"{key} is not known"
            elif key in NUMBERS and not re.fullmatch(r"[0-9]{1,15}", query[key], re.ASCII):
                wrong = f"{key} must be an integer"
        if refused or wrong:
            return refused or self._fail(400, wrong)
        found = [c for c in self.state.newest(self.name) if listed(c, query)]
        limit, offset = int(query.get("limit", 20)), int(query.get("offset", 0))
        items = [shapes.synthflow_item(c) for c in found[offset:offset + limit]]
        return self._page(items, len(found), limit, offset)

    async def assistants(self, request):
        """GET /assistants/: the documented way to try a key."""
        def answer(_act):
            models = {c.body["model_id"] for c in self.state.newest(self.name)}
            return self._refused(request) or Reply(200, {"status": "ok", "response": {
                "pagination": {"total_records": len(models), "limit": 20, "offset": 0},
                "assistants": [{"model_id": m, "name": "Front desk", "type": "outbound"}
                               for m in sorted(models)[:20]]}})

        return await perform(self, request, What(self.name, "assistants", None), answer)

    # ---- tell --------------------------------------------------------------

    def announce(self, call):
        """Nothing is told before the end."""

    def report(self, call):
        """The one webhook there is."""
        if self.state.settings["webhooks"]:
            self.sender.emit(call, "post-call", shapes.synthflow_hook(call))
        self.sender.release(call)

    def delivery(self, call, message, spoilt):
        """The request that carries the webhook; only the call id is signed."""
        settings = self.state.settings
        url = call.body.get("external_webhook_url") or settings["synthflow_webhook_url"]
        if not url:
            return None
        headers, name = {"Content-Type": "application/json"}, settings["synthflow_signature_header"]
        if settings["synthflow_webhook_secret"]:
            mac = hmac.new(settings["synthflow_webhook_secret"].encode(), call.id.encode(),
                           hashlib.sha256).digest()
            headers[name] = base64.b64encode(mac).decode()
        return Delivery(url, headers, corrupt(dump(message), spoilt), 20, None, [name])


def parse(raw):
    """JSON from bytes, None if it is none."""
    try:
        return json.loads(raw)
    except ValueError:
        return None


def check(body):
    """What is wrong with the body of POST /calls, None if nothing is."""
    if not isinstance(body, dict):
        return "body is not an object"
    for key in ("model_id", "phone", "name"):
        if not body.get(key):
            return f"{key} is required"
    for key in STRINGS:
        if key in body and not isinstance(body[key], str):
            return f"{key} is not a string"
    if not E164.fullmatch(body["phone"]):
        return "phone is not a valid number"
    pairs = [] if body.get("custom_variables") is None else body["custom_variables"]
    if not isinstance(pairs, list) or not all(
            isinstance(p, dict) and isinstance(p.get("key"), str) and isinstance(
                p.get("value"), str) for p in pairs):
        return "custom_variables is not a list of key and value"
    return None


def assignment(body):
    """Our own id of the attempt, a custom variable."""
    pairs = body.get("custom_variables") if isinstance(body, dict) else None
    for pair in pairs if isinstance(pairs, list) else []:
        if isinstance(pair, dict) and pair.get("key") == "hookswitch_assignment_id":
            return str(pair.get("value"))
    return "unknown"


def listed(call, query):
    """Whether a call is among those that the parameters of GET /calls ask for."""
    begun, over = shapes.millis(call.started or call.created), call.ended
    seconds = shapes.synthflow_seconds(call)
    return (call.body["model_id"] == query["model_id"]
            and query.get("lead_phone_number", call.number) == call.number
            and query.get("call_status") in (None, shapes.synthflow_state(call))
            and begun >= int(query.get("from_date", 0))
            and ("to_date" not in query or shapes.millis(over or begun) <= int(query["to_date"]))
            and seconds >= int(query.get("duration_min", 0))
            and ("duration_max" not in query or seconds <= int(query["duration_max"])))
