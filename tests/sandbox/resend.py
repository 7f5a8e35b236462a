"""Resend: its mail API."""
import hashlib
import json
import re
import time
import uuid
from datetime import datetime, timezone

from aiohttp import web

import mails
from faults import Reply, What, json_response, perform

DAY = 24 * 3600
ADDRESS = re.compile(r"(?:[^<>\r\n]*<)?([^<>@\s]+@([^<>@\s]+\.[^<>@\s]+))>?")
# status: name and message, as the recorded errors have them.
ERRORS = {
    "missing_api_key": (401, "Missing API key in the authorization header."),
    "restricted_api_key": (401, "This API key is restricted to only send emails."),
    "invalid_api_key": (403, "API key is invalid."),
    "not_found": (404, "The requested endpoint does not exist."),
    "method_not_allowed": (405, "This endpoint does not support the specified HTTP method."),
    "validation_error": (400, "We found an error with one or more fields in the request."),
    "invalid_idempotency_key": (400, "The key must be between 1-256 chars."),
    "invalid_idempotent_request": (
        409, "Same idempotency key used with a different request payload."),
    "concurrent_idempotent_requests": (
        409, "Same idempotency key used while original request is still in progress."),
    "missing_required_field": (
        422, "The request body is missing one or more required fields."),
    "invalid_from_address": (422, "The from address is invalid."),
    "invalid_parameter": (422, "The parameter must be a valid UUID."),
    "rate_limit_exceeded": (429, "Too many requests. Please limit the number of requests per "
                                 "second. Or contact support to increase rate limit."),
    "daily_quota_exceeded": (429, "You have reached your daily email sending quota."),
    "internal_server_error": (500, "An unexpected error occurred."),
}
BY_STATUS = {400: "validation_error", 401: "missing_api_key", 403: "invalid_api_key",
             404: "not_found", 409: "concurrent_idempotent_requests",
             422: "missing_required_field", 429: "rate_limit_exceeded"}


class Resend:
    """The routes below /resend."""

    name = "resend"

    def __init__(self, state):
        self.state = state

    def routes(self):
        """All routes, for the application."""
        return [web.post("/resend/emails", self.send),
                web.get("/resend/emails/{id}", self.get),
                web.route("*", "/resend/emails", self.wrong_method),
                web.route("*", "/resend/{rest:.*}", self.nowhere)]

    # ---- answers -----------------------------------------------------------

    @staticmethod
    def error(status, name=None, message=None):
        """An error body; the name follows from the status where none is given."""
        name = name or BY_STATUS.get(status, "internal_server_error")
        return {"statusCode": status, "name": name, "message": message or ERRORS[name][1]}

    @staticmethod
    def with_id(body, ident):
        """The body with another id, without any where it is None."""
        out = {k: v for k, v in body.items() if k != "id"}
        return out if ident is None else {**out, "id": ident}

    def _fail(self, name, message=None, status=None, headers=None):
        status = status or ERRORS[name][0]
        return Reply(status, self.error(status, name, message), headers)

    async def nowhere(self, request):
        """Any other path."""
        return json_response(404, self.error(404))

    async def wrong_method(self, request):
        """A path of ours, another method."""
        return json_response(405, self.error(405, "method_not_allowed"))

    # ---- operations --------------------------------------------------------

    async def send(self, request):
        """POST /emails.  While one with the same key is under way, another is told so."""
        raw, key = await request.read(), request.headers.get("Idempotency-Key")
        body = parse(raw)
        to = body.get("to") if isinstance(body, dict) else None
        what = What(self.name, "create", to[0] if isinstance(to, list) and to else to)
        known, print_ = self.state.resend_keys, hashlib.sha256(raw).hexdigest()
        entry = known.get(key)
        if entry and entry["reply"] is None:
            return json_response(409, self.error(409, "concurrent_idempotent_requests"))
        if entry and entry["at"] < time.time() - DAY:
            del known[key]
            entry = None
        if key and not entry:
            known[key] = {"at": time.time(), "print": print_, "reply": None}
        try:
            return await perform(self, request, what,
                                 lambda act: self._send(request, body, key, print_))
        finally:
            # What was refused is computed again the next time.
            if key in known and known[key]["reply"] is None:
                del known[key]

    def _send(self, request, body, key, print_):
        entry = self.state.resend_keys.get(key)
        refused = self._refused(request) or self._limits() or self._key(key, entry, print_)
        if refused:
            return refused
        if entry and entry["reply"]:
            return entry["reply"]
        wrong = self._wrong(body)
        if wrong:
            return wrong
        ident = str(uuid.uuid4())
        self.state.mails.append(mails.by_api(ident, body, key))
        reply = Reply(200, {"id": ident}, self._rate())
        if entry:
            entry["reply"] = reply
        return reply

    def _key(self, key, entry, print_):
        if key is None:
            return None
        if not 1 <= len(key) <= 256:
            return self._fail("invalid_idempotency_key")
        if entry and entry["print"] != print_:
            return self._fail("invalid_idempotent_request")
        return None

    def _refused(self, request):
        if not request.headers.get("User-Agent"):
            return Reply(403, "error code: 1010")
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        keys = self.state.settings["resend_keys"]
        if scheme.lower() != "bearer" or not key:
            return self._fail("missing_api_key")
        if key == "bad" or (keys and key not in keys):
            return self._fail("invalid_api_key")
        return None

    def _limits(self):
        if self.state.too_fast(self.name):
            return self._fail("rate_limit_exceeded", headers={**self._rate(), "retry-after": "1"})
        most = self.state.settings["resend_per_day"]
        if most is not None and sum(m["via"] == "resend" for m in self.state.mails) >= most:
            return self._fail("daily_quota_exceeded")
        return None

    def _rate(self):
        most = self.state.settings["resend_per_second"] or 2
        left = max(0, most - len(self.state.starts[self.name]))
        return {"ratelimit-limit": str(most), "ratelimit-remaining": str(left),
                "ratelimit-reset": "1"}

    def _wrong(self, body):
        if not isinstance(body, dict):
            return self._fail("validation_error")
        for name in ("from", "to", "subject"):
            if not body.get(name):
                return self._fail("missing_required_field", f"Missing `{name}` field.")
        sender = ADDRESS.fullmatch(str(body["from"]))
        to = body["to"] if isinstance(body["to"], list) else [body["to"]]
        if not sender:
            return self._fail("invalid_from_address")
        if len(to) > 50 or not all(isinstance(a, str) and ADDRESS.fullmatch(a) for a in to):
            return self._fail("validation_error", "Invalid `to` field.", 422)
        if not isinstance(body["subject"], str) or not (body.get("html") or body.get("text")):
            return self._fail("missing_required_field", "Missing `html` or `text` field.")
        domains = self.state.settings["resend_domains"]
        if domains and sender[2] not in domains:
            return self._fail("validation_error", f"The {sender[2]} domain is not verified.", 403)
        return None

    async def get(self, request):
        """GET /emails/{id}."""
        ident = request.match_info["id"]

        def answer(_act):
            found = [m for m in self.state.mails if m["id"] == ident and m["via"] == "resend"]
            if self._refused(request) or not found:
                return self._refused(request) or self._fail("not_found", "Email not found")
            return Reply(200, view(found[0]), self._rate())

        return await perform(self, request, What(self.name, "get", None), answer)


def view(mail):
    """A mail as the API shows it."""
    at = datetime.fromtimestamp(mail["at"], timezone.utc)
    return {"object": "email", "id": mail["id"], "to": mail["to"], "from": mail["from"],
            "created_at": at.strftime("%Y-%m-%d %H:%M:%S.%f+00"), "subject": mail["subject"],
            "html": mail["html"], "text": mail["text"], "bcc": [], "cc": [], "reply_to": [],
            "last_event": "delivered"}


def parse(raw):
    """JSON from bytes, None if it is none."""
    try:
        return json.loads(raw)
    except ValueError:
        return None
