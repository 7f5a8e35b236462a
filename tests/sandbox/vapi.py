"""Vapi: its call API and its server messages."""
import json

from aiohttp import web

import shapes
import vapi_check as check
from faults import Reply, What, dump, json_response, perform
from webhooks import Delivery, corrupt, sign_hmac

DEFAULT_MESSAGES = {"conversation-update", "end-of-call-report", "function-call", "hang",
                    "speech-update", "status-update", "tool-calls",
                    "transfer-destination-request", "handoff-destination-request",
                    "user-interrupted", "assistant.started"}
NAMES = {400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden",
         404: "Not Found", 409: "Conflict"}
TEXTS = {401: "Invalid Key. Hot tip, you may be using the private key instead of the public key, "
              "or vice versa.",
         402: "Wallet balance is too low", 404: "Not Found", 429: "Too Many Requests",
         500: "Internal server error", 503: "Service Unavailable"}
LIMIT_TEXT = "Over Concurrency Limit. Your organization has reached its concurrency limit."
RECORDINGS = {"mono-recording": "-mono.wav", "stereo-recording": "-stereo.wav",
              "customer-recording": "-customer.wav", "assistant-recording": "-assistant.wav",
              "call-logs": ".jsonl.gz"}
PLENTY = 1000


class Vapi:
    """The routes below /vapi, and how calls of Vapi are told about."""

    name = "vapi"

    def __init__(self, state, life, sender):
        self.state, self.life, self.sender = state, life, sender
        life.providers[self.name] = sender.providers[self.name] = self

    def routes(self):
        """All routes, for the application."""
        return [web.post("/vapi/call", self.create), web.get("/vapi/call", self.list),
                web.get("/vapi/call/{id}", self.get), web.patch("/vapi/call/{id}", self.update),
                web.delete("/vapi/call/{id}", self.delete),
                web.get("/vapi/call/{id}/{file}", self.recording),
                web.post("/vapi/{id}/control", self.control),
                web.route("*", "/vapi/{rest:.*}", self.nowhere)]

    # ---- answers -----------------------------------------------------------

    @staticmethod
    def error(status, message=None):
        """An error body; the message may be a list of sentences."""
        body = {"message": message or TEXTS.get(status, NAMES.get(status, "Error"))}
        if status in NAMES:
            body["error"] = NAMES[status]
        return {**body, "statusCode": status}

    @staticmethod
    def with_id(body, ident):
        """The body with another id, without one where it is None."""
        if isinstance(body, list):
            return [Vapi.with_id(one, ident) for one in body]
        out = {k: v for k, v in body.items() if k != "id"}
        return out if ident is None else {**out, "id": ident}

    def _fail(self, status, message=None):
        return Reply(status, self.error(status, message))

    def _refused(self, request):
        """401 in the true shape, or None if the key is good."""
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        keys = self.state.settings["vapi_keys"]
        if scheme.lower() != "bearer" or not key or key == "bad" or (keys and key not in keys):
            return self._fail(401)
        return None

    @staticmethod
    def _base(request):
        return f"http://{request.host}/vapi"

    async def _one(self, request, operation, work):
        """An operation on one call: work(request, call, body) once the key and the id are good."""
        ident = request.match_info["id"]
        known = self.state.calls.get(ident)
        raw = await request.read()

        def answer(_act):
            call = self.state.find(self.name, ident)
            refused = self._refused(request) if operation != "control" else None
            if refused:
                return refused
            if call is None:
                return self._fail(404, f"Couldn't Get Call. `id` {ident} Does Not Exist.")
            return work(request, call, raw)

        return await perform(self, request,
                             What(self.name, operation, known and known.number), answer)

    async def nowhere(self, request):
        """Any other path, such as the old /call/phone."""
        return json_response(404, self.error(404, f"Cannot {request.method} {request.path[5:]}"))

    # ---- start a call ------------------------------------------------------

    async def create(self, request):
        """POST /call."""
        body = parse(await request.read())
        single = body.get("customer") if isinstance(body, dict) else None
        number = single.get("number") if isinstance(single, dict) else None
        number = number if isinstance(number, str) else None
        for customer in self._customers(body):
            self.state.counters.attempt(assignment(body, customer))
        return await perform(self, request, What(self.name, "create", number),
                             lambda act: self._create(request, body, act))

    @staticmethod
    def _customers(body):
        many = body.get("customers") if isinstance(body, dict) else None
        return many if isinstance(many, list) and many else [None]

    def _create(self, request, body, act):
        refused = self._refused(request)
        if refused:
            return refused
        if body is None:
            return self._fail(400, "Unexpected token in JSON")
        wrong = check.create(body)
        if wrong:
            return self._fail(400, wrong)
        if self.state.too_fast(self.name):
            return self._fail(429)
        if "customers" in body:
            return self._batch(request, body, act)
        call, reply = self._start(body, body["customer"], act)
        if call is None:
            return reply
        answer = shapes.vapi_answer(call, self.state.settings, self._base(request))
        answer.setdefault("monitor", {})
        return Reply(201, {**answer, "subscriptionLimits": self._limits(call.blocked)}, None,
                     (call,))

    def _start(self, body, customer, act):
        """Take one call on: (call, None), or (None, the refusal)."""
        verdict = self.state.gate(self.name, act)
        if verdict == "429":
            return None, self._fail(429, LIMIT_TEXT)
        if verdict == "400":
            return None, self._fail(400, LIMIT_TEXT)
        single = {k: v for k, v in body.items() if k != "customers"}
        number = customer.get("number") or customer.get("sipUri")
        start_at = check.moment((body.get("schedulePlan") or {}).get("earliestAt"))
        call = self.life.accept(self.name, number, assignment(body, customer),
                                ({**single, "customer": customer}, act, verdict, start_at))
        return call, None

    def _batch(self, request, body, act):
        calls, errors = [], []
        for n, customer in enumerate(body["customers"]):
            wrong = check.customer(customer, f"customers.{n}.")
            if wrong:
                errors.append({"customer": customer, "error": wrong[0]})
                continue
            own = {**self.state.number_action(customer.get("number"), "create"), **act}
            call, reply = self._start(body, customer, own)
            if call is None:
                errors.append({"customer": customer, "error": reply.body["message"]})
            else:
                calls.append(call)
        settings, base = self.state.settings, self._base(request)
        blocked = any(c.blocked for c in calls)
        results = [shapes.vapi_answer(c, settings, base) for c in calls]
        return Reply(201, {"subscriptionLimits": self._limits(blocked), "results": results,
                           "errors": errors}, None, tuple(calls))

    def _limits(self, blocked):
        limit = self.state.settings["vapi_limit"]
        left = PLENTY if limit is None else max(0, limit - self.state.counters.live[self.name])
        return {"concurrencyBlocked": blocked,
                "concurrencyLimit": PLENTY if limit is None else limit,
                "remainingConcurrentCalls": 0 if blocked else left}

    # ---- read and change ---------------------------------------------------

    async def list(self, request):
        """GET /call: a bare array, newest first."""
        return await perform(self, request, What(self.name, "list", None),
                             lambda act: self._list(request))

    def _list(self, request):
        refused = self._refused(request)
        wrong = check.queries(request.query)
        if refused or wrong:
            return refused or self._fail(400, wrong)
        tests, base = wanted(request.query), self._base(request)
        limit, out = int(request.query.get("limit", 100)), []
        for call in self.state.newest(self.name):
            if len(out) >= limit:
                break
            if all(test(call) for test in tests):
                out.append(shapes.vapi_answer(call, self.state.settings, base))
        return Reply(200, out)

    async def get(self, request):
        """GET /call/{id}."""
        return await self._one(request, "get", lambda r, call, raw: Reply(
            200, shapes.vapi_answer(call, self.state.settings, self._base(r))))

    async def update(self, request):
        """PATCH /call/{id}: the name and nothing else."""
        return await self._one(request, "update", self._update)

    def _update(self, request, call, raw):
        body = parse(raw)
        if not isinstance(body, dict):
            return self._fail(400, "body must be an object")
        wrong = [f"property {key} should not exist" for key in body if key != "name"]
        name = body.get("name", "")
        if not isinstance(name, str) or len(name) > 40:
            wrong.append("name must be shorter than or equal to 40 characters")
        if wrong:
            return self._fail(400, wrong)
        if "name" in body:
            call.body["name"] = name
        return Reply(200, shapes.vapi_answer(call, self.state.settings, self._base(request)))

    async def delete(self, request):
        """DELETE /call/{id}: the record goes; a call that runs goes on."""
        return await self._one(request, "delete", self._delete)

    def _delete(self, request, call, raw):
        answer = shapes.vapi_answer(call, self.state.settings, self._base(request))
        if call.status == "scheduled":
            self.life.hang_up(call, "schedule-deleted")
        call.deleted = True
        self._tell(call, "call.deleted", {"type": "call.deleted"})
        return Reply(200, answer)

    async def recording(self, request):
        """GET /call/{id}/mono-recording and its like: a redirect to the file."""
        return await self._one(request, "recording", self._recording)

    def _recording(self, request, call, raw):
        ending = RECORDINGS.get(request.match_info["file"])
        if ending is None or not (call.started and call.ended):
            return self._fail(404, "Couldn't Get Recording.")
        return Reply(302, None, {"Location": shapes.STORE + call.id + ending + "?X-Amz-Expires=60"})

    async def control(self, request):
        """POST on monitor.controlUrl; the address itself is the secret."""
        return await self._one(request, "control", self._control)

    def _control(self, request, call, raw):
        body = parse(raw)
        kind = body.get("type") if isinstance(body, dict) else None
        if call.ended:
            return self._fail(404, "Call has ended")
        if kind == "end-call":
            self.life.hang_up(call)
        elif kind not in ("say", "add-message", "control", "transfer"):
            return self._fail(400, ["type must be one of the following values: end-call, say, "
                                    "add-message, control, transfer"])
        return Reply(200, {"success": True})

    # ---- tell --------------------------------------------------------------

    def announce(self, call):
        """Tell of the status that the call has now."""
        if not self.state.settings["webhooks"]:
            return
        own = {"type": "status-update", "status": call.status}
        if call.status == "ended":
            own["endedReason"] = call.outcome.reason
            if call.started:
                own["artifact"] = {"messages": shapes.vapi_messages(call), "transcript":
                                   shapes.vapi_artifact(call)["transcript"]}
        if call.status == "forwarding":
            own["destination"] = {"type": "number", "number": "+15550100009"}
            own["messages"] = shapes.vapi_messages(call)
        self._tell(call, "status-update:" + call.status, own)
        if call.status == "in-progress":
            self._talk(call)

    def _talk(self, call):
        """What else is told of a talk, where it is asked for."""
        said = shapes.lines(call)
        self._tell(call, "assistant.started", {"type": "assistant.started"})
        for status in ("started", "stopped"):
            self._tell(call, "speech-update:" + status, {
                "type": "speech-update", "status": status, "role": "assistant", "turn": 0})
        self._tell(call, "conversation-update", {
            "type": "conversation-update", "messages": shapes.vapi_messages(call),
            "messagesOpenAIFormatted": shapes.vapi_openai(call)})
        for role, text in said:
            self._tell(call, "transcript", {
                "type": "transcript", "role": "assistant" if role == "bot" else "user",
                "transcriptType": "final", "transcript": text})
        for own in call.act.get("extra", ()):
            self._tell(call, own["type"], own)

    def report(self, call):
        """The end-of-call report; a call that never rang has none."""
        if call.dialled and self.state.settings["webhooks"]:
            self._tell(call, "end-of-call-report", {"type": "end-of-call-report"})
        self.sender.release(call)

    def _tell(self, call, kind, own):
        asked = call.messages or call.body.get("assistantOverrides", {}).get("serverMessages")
        asked = DEFAULT_MESSAGES if asked is None else set(asked)
        if own["type"] == "transcript" and 'transcript[transcriptType="final"]' in asked:
            asked = asked | {"transcript"}
        if own["type"] in asked or own in call.act.get("extra", ()):
            self.sender.emit(call, kind, shapes.vapi_message(call, own, self.state.settings))

    def delivery(self, call, message, spoilt):
        """The request that carries a message; a report gets fresh signed addresses each time."""
        settings = self.state.settings
        servers = [*call.servers, call.body.get("assistantOverrides", {}).get("server")]
        server = next((s for s in servers if s and s.get("url")), {})
        own = "url" in server
        url = server["url"] if own else settings["vapi_webhook_url"]
        if not url:
            return None
        if message["message"]["type"] == "end-of-call-report":
            copies = shapes.vapi_copies(call) if settings["report_copies"] else {}
            message = {"message": {**message["message"], **shapes.vapi_result(call), **copies}}
        body = corrupt(dump(message), spoilt)
        headers = {"Content-Type": "application/json"}
        headers.update(server.get("headers", {}) if own else settings["vapi_webhook_headers"])
        auth = ["x-vapi-secret", "authorization"]
        if settings["vapi_webhook_hmac"] and not own:
            signed = sign_hmac(settings["vapi_webhook_hmac"], body, url)
            auth += signed
            headers.update(signed)
        return Delivery(url, headers, body, server.get("timeoutSeconds", 20),
                        server.get("backoffPlan"), auth)


def parse(raw):
    """JSON from bytes, None if it is none."""
    try:
        return json.loads(raw)
    except ValueError:
        return None


def assignment(body, customer=None):
    """Our own id of the attempt: in the metadata, else the name."""
    for where in (customer, body):
        over = where.get("assistantOverrides") if isinstance(where, dict) else None
        meta = over.get("metadata") if isinstance(over, dict) else None
        if isinstance(meta, dict) and meta.get("assignment_id"):
            return str(meta["assignment_id"])
    name = body.get("name") if isinstance(body, dict) else None
    return name if isinstance(name, str) and name else "unknown"


def wanted(query):
    """Tests of a call, one for each parameter of GET /call but the limit."""
    tests = []
    if "id" in query:
        tests.append(lambda call: call.id == query["id"])
    for key in ("assistantId", "phoneNumberId"):
        if key in query:
            tests.append(lambda call, k=key: call.body.get(k) == query[k])
    compare = {"Gt": lambda a, b: a > b, "Lt": lambda a, b: a < b,
               "Ge": lambda a, b: a >= b, "Le": lambda a, b: a <= b}
    for key in query:
        field = {"createdAt": "created", "updatedAt": "updated"}.get(key[:9])
        if field:
            bound, op = round(check.moment(query[key]) * 1000), compare[key[9:]]
            tests.append(lambda call, f=field, b=bound, o=op:
                         o(shapes.millis(getattr(call, f)), b))
    return tests
