"""The description in the form of OpenAPI 3.1, made from what the programs say of themselves."""

from described import camel, fields_in, operation_id, params_of, tables_of
from refusals import body_type, is_keyed, is_limited, is_tagged, own_codes, refusals, server_refusals, takes_bytes
from schemas import answer_schema, field_schema, object_schema

ABOUT = """The back end of an AI-phone-call business: calls from a durable queue, with everything around them.

Every error has one shape (Problem), with a `code` that never changes its meaning; below `/auth/v1` it has the shape
that clients of Supabase know. Every GET of JSON has an `ETag` and takes `If-None-Match`; PUT, PATCH and DELETE take it
as `If-Match`. Every POST of somebody who is known takes an `Idempotency-Key`. HEAD is GET without the body. Fields that
are not described here are refused by name. Times are RFC 3339 in UTC, numbers of telephones E.164."""

PROBLEM = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "properties": {
        "type": {"type": "string", "description": "urn:hookswitch:error: and the code."},
        "title": {"type": "string", "description": "The code's sentence."},
        "status": {"type": "integer", "description": "The status of the answer."},
        "code": {"type": "string", "description": "Which error it is."},
        "detail": {"type": "string", "description": "More about this one, or nothing."},
        "errors": {"type": "array", "description": "Each field that is wrong.",
                   "items": {"$ref": "#/components/schemas/FieldProblem"}},
        "request_id": {"type": "string", "description": "What the logs know the request by."},
    },
    "required": ["type", "title", "status", "code", "detail", "errors", "request_id"],
}
FIELD_PROBLEM = {
    "type": "object",
    "description": "What is wrong with one field.",
    "properties": {
        "field": {"type": "string", "description": "Its name, with dots into objects and arrays."},
        "code": {"type": "string", "description": "What is wrong with it."},
        "detail": {"type": ["string", "null"], "description": "The same in words."},
    },
    "required": ["field", "code", "detail"],
}
# One of the two, by the header X-Supabase-Api-Version of the request.
AUTH_ERROR = {
    "type": "object",
    "description": "What went wrong, as Supabase Auth tells it: error_code and msg, or since 2024-01-01 code and message.",
    "properties": {
        "code": {"type": ["integer", "string"], "description": "The status; with message: which error it is."},
        "error_code": {"type": "string", "description": "Which error it is."},
        "msg": {"type": "string", "description": "The same in words."},
        "message": {"type": "string", "description": "The same in words."},
        "weak_password": {"type": "object", "description": "Why a password is refused.", "properties": {
            "reasons": {"type": "array", "items": {"type": "string"}}}, "required": ["reasons"]},
    },
    "required": ["code"],
}


def _header(kind, doc):
    return {"description": doc, "schema": {"type": kind}}


HEADERS = {
    "X-Request-Id": _header("string", "What the logs know the request by."),
    "ETag": _header("string", "Changes with the answer; for If-None-Match and If-Match."),
    "Idempotent-Replayed": _header("string", "true: the answer was given before."),
    "RateLimit-Limit": _header("integer", "Size of the bucket that is nearest to its end."),
    "RateLimit-Remaining": _header("integer", "Requests left in it."),
    "RateLimit-Reset": _header("integer", "Seconds until it is full again."),
    "RateLimit-Policy": _header("string", "The bucket's size, and the seconds that it takes to fill."),
    "Retry-After": _header("integer", "Seconds to wait before the next try."),
    "WWW-Authenticate": _header("string", "How to say who one is."),
    "Location": _header("string", "Where it goes on."),
}
LIMITS = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "RateLimit-Policy"]


def _asked(name, doc, **schema):
    return {"name": name, "in": "header", "required": False, "description": doc, "schema": {"type": "string", **schema}}


def _signed(name, doc):
    return {"type": "apiKey", "in": "header", "name": name, "description": doc}


PARAMETERS = {
    "X-Organization-Id": _asked("X-Organization-Id", "The organization to act for; without it: the person's default."),
    "Idempotency-Key": _asked("Idempotency-Key", "The same key and request twice is done once, for 24 hours.",
                              minLength=1, maxLength=255),
    "If-Match": _asked("If-Match", "Only if the ETag of this path is still this one."),
    "If-None-Match": _asked("If-None-Match", "304 if the ETag is still this one."),
}
SECURITY_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An access token of a person."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key",
            "description": "An API key of an organization; it may also be sent as a bearer token."},
    "internal": {"type": "http", "scheme": "bearer", "description": "HOOKSWITCH_INTERNAL_TOKEN."},
    "vapiSecret": _signed("X-Vapi-Secret", "The secret itself: what Vapi was given with the call, one of the organization's, or one of "
                          "VAPI_WEBHOOK_SECRET."),
    "vapiBearer": {"type": "http", "scheme": "bearer", "description": "The same secret as a bearer token."},
    "vapiHmac": _signed("X-Signature", "HMAC-SHA256, in hex, of X-Timestamp, a dot and the body, keyed with such a secret."),
    "vapiTimestamp": _signed("X-Timestamp", "Seconds (or milliseconds) since 1970, at most 300 seconds off; only with X-Signature."),
    "vapiSignature": _signed("X-Vapi-Signature", "HMAC-SHA256, in hex, of the body, keyed with such a secret."),
    **{f"synthflow{n}": _signed(name, "HMAC-SHA256, in base64, of call.call_id of the body, keyed with a secret of the organization or "
                                "one of SYNTHFLOW_WEBHOOK_SECRET.")
       for n, name in enumerate(("Synthflow-Signature", "X-Synthflow-Signature", "Http-Synthflow-Signature"), 1)},
    "stripeSignature": _signed("Stripe-Signature", "As in t=1790000000,v1=5257...: v1 is the HMAC-SHA256, in hex, of t, a dot and the body, keyed "
                               "with one of STRIPE_WEBHOOK_SECRET; t may be 300 seconds off.  One of several v1 is enough."),
    "paddleSignature": _signed("Paddle-Signature", "As in ts=1790000000;h1=5257...: h1 is the HMAC-SHA256, in hex, of ts, a colon and the body, "
                               "keyed with one of PADDLE_WEBHOOK_SECRET; ts may be HOOKSWITCH_PADDLE_TOLERANCE_SECONDS off.  One of several "
                               "h1 is enough."),
    "twilioSignature": _signed("X-Twilio-Signature", "HMAC-SHA1, in base64, of the address as Twilio was told it (TWILIO_WEBHOOK_URL) and of the form's "
                               "fields, sorted, each distinct one as its name and its value, keyed with one of TWILIO_AUTH_TOKEN."),
}
# How webhooks are proved; an organization may have other ways stored for it (webhook_secrets).
SIGNED = {
    "vapi-webhook": [{"vapiSecret": []}, {"vapiBearer": []}, {"vapiHmac": [], "vapiTimestamp": []}, {"vapiSignature": []}],
    "stripe-webhook": [{"stripeSignature": []}],
    "paddle-webhook": [{"paddleSignature": []}],
    "twilio-webhook": [{"twilioSignature": []}],
    "synthflow-webhook": [{f"synthflow{n}": []} for n in (1, 2, 3)],
}
SECURITY = {"public": [], "person": [{"token": []}], "operator": [{"token": []}], "local": [{"internal": []}, {}],
            "internal": [{"internal": []}, {}]}


# What refusals that many routes share are called: by the status, and by codes that only some of them have.
STATUS = {304: "NotModified", 400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict",
          412: "PreconditionFailed", 413: "TooLarge", 415: "UnsupportedMediaType", 422: "Unprocessable", 429: "TooManyRequests",
          500: "InternalError", 502: "BadGateway", 503: "Unavailable", 504: "GatewayTimeout"}
WORDS = {"bad_fields": "Fields", "bad_path": "Path", "bad_cursor": "Cursor", "bad_json": "Json", "bad_idempotency_key": "Key",
         "session_revoked": "Session", "api_key_invalid": "ApiKey", "person_needed": "Person", "operator_needed": "Operator",
         "role_missing": "Role", "outcome_unknown": "Outcome", "organization_not_found": "Organization"}


def _ref(kind, name):
    return {"$ref": f"#/components/{kind}/{name}"}


def _refs(kind, names):
    return {name: _ref(kind, name) for name in names}


class Document:
    """The document while it is made: answers that say the same are kept once."""

    def __init__(self, programs, errors):
        self.programs, self.errors, self.responses = programs, errors, {}
        self.sentences = {code: sentence for code, (_, sentence) in errors.items()}

    def made(self):
        """All of it."""
        paths = {}
        for program in self.programs:
            for route in program["routes"]:
                paths.setdefault(route["path"], {})[route["method"].lower()] = self.operation(program, route)
        return {
            "openapi": "3.1.0",
            "info": {"title": "Hookswitch", "version": "1", "license": {"name": "MIT", "identifier": "MIT"},
                     "description": ABOUT.replace("\n", " ").replace("  ", "\n\n")},
            "servers": [{"url": "http://127.0.0.1:8080", "description": "What ./dev run starts."}],
            "tags": [{"name": program["program"], "description": program["about"]} for program in self.programs],
            "paths": paths,
            "components": {"schemas": self.schemas(), "responses": dict(sorted(self.responses.items())),
                           "parameters": PARAMETERS, "headers": HEADERS, "securitySchemes": SECURITY_SCHEMES},
        }

    def schemas(self):
        """All objects that are answered."""
        made = {camel(name): {"type": "object", "description": about, **object_schema(fields, answer=True)}
                for name, (about, fields) in tables_of(self.programs).items()}
        made |= {"Problem": PROBLEM, "FieldProblem": FIELD_PROBLEM, "AuthError": AUTH_ERROR}
        return dict(sorted(made.items()))

    def operation(self, program, route):
        """One route."""
        made = {"operationId": operation_id(route), "tags": [program["program"]], "summary": route["doc"]}
        if route["access"] == "api":
            made["security"] = [{"token": [route["scope"]]}, {"key": [route["scope"]]}]
        elif program["program"] in SIGNED:
            made["security"] = SIGNED[program["program"]]
        else:
            made["security"] = [{"token": []}] if "unauthenticated" in route["errors"] else SECURITY[route["access"]]
        asked = self.parameters(route)
        if asked:
            made["parameters"] = asked
        body = self.request_body(route)
        if body:
            made["requestBody"] = body
        made["responses"] = self.answers(program, route)
        return made

    @staticmethod
    def parameters(route):
        """What stands in the path, the query and the headers."""
        known = {field["name"] for field in route["fields"]}
        asked = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                 for name in params_of(route["path"]) if name not in known]
        for place in ("path", "query"):
            for field in fields_in(route, place):
                schema = field_schema(field, answer=False)
                asked.append({"name": field["name"], "in": place, "required": field["required"],
                              "description": schema.pop("description"), "schema": schema})
        named = []
        if route["access"] == "api" and "organization_id" not in params_of(route["path"]):
            named.append("X-Organization-Id")
        if is_keyed(route):
            named.append("Idempotency-Key")
        if route["method"] in ("PUT", "PATCH", "DELETE"):
            named.append("If-Match")
        if is_tagged(route):
            named.append("If-None-Match")
        return asked + [_ref("parameters", name) for name in named]

    @staticmethod
    def request_body(route):
        """What is sent."""
        fields = fields_in(route, "body")
        if takes_bytes(route):
            return {"required": True, "content": {one: {"schema": {}} for one in body_type(route).split(", ")}}
        if not fields:
            return None
        schema = object_schema(fields, answer=False, strict=not route["lenient"])
        return {"required": bool(schema.get("required")), "content": {"application/json": {"schema": schema}}}

    # ---- answers ---------------------------------------------------------------

    def answers(self, program, route):
        """Each status that it answers with."""
        made = {str(route["status"]): self.success(route)}
        if is_tagged(route):
            made["304"] = self.kept(STATUS[304], {"description": "It is as If-None-Match says.",
                                                  "headers": _refs("headers", ["X-Request-Id", "ETag"])})
        server = server_refusals(route)
        refused, own = refusals(program, route, self.errors), own_codes(program, route, self.errors)
        for status in sorted({*server, *refused}):
            response = self.refusal(program, status, refused.get(status, []), server.get(status))
            if own.isdisjoint(refused.get(status, [])):
                words = [word for code, word in WORDS.items() if code in refused.get(status, [])]
                response = self.kept("".join([*(["Auth"] if program["own_errors"] else []), STATUS[status], *words]), response)
            made[str(status)] = response
        return made

    @staticmethod
    def success(route):
        """What is answered when all went well."""
        returns = route.get("returns")
        names = ["X-Request-Id", *(LIMITS if is_limited(route) else []), *(["ETag"] if is_tagged(route) else []),
                 *(["Idempotent-Replayed"] if is_keyed(route) else []), *(["Location"] if route["status"] == 303 else [])]
        made = {"description": route["doc"], "headers": _refs("headers", names)}
        if returns and returns["form"] == "file":
            made["content"] = {kind: {"schema": {"type": "string"} if kind.startswith("text/") else {}}
                               for kind in returns["type"].split(", ")}
        elif returns:
            made["content"] = {"application/json": {"schema": answer_schema(returns)}}
        return made

    def kept(self, name, response):
        """A response that others say too."""
        assert self.responses.setdefault(name, response) == response, name
        return _ref("responses", name)

    def refusal(self, program, status, codes, server):
        """All that is refused with one status; server: the code that the web server in front may tell."""
        names = ["X-Request-Id", *(["WWW-Authenticate"] if status == 401 else []),
                 *(["Retry-After"] if status in (429, 502, 503, 504) or "idempotency_in_use" in codes else [])]
        own = program["own_errors"]
        ours = [server] if own and server else sorted({*codes, *([server] if server else [])}, key=list(self.errors).index)\
            if not own else []
        content = {}
        if ours:
            content["application/problem+json"] = {"schema": {"allOf": [_ref("schemas", "Problem"), {
                "properties": {"status": {"const": status}, "code": {"enum": ours}}}]}}
        if own and codes:
            content["application/json"] = {"schema": {"allOf": [_ref("schemas", "AuthError"), {"anyOf": [
                {"properties": {"error_code": {"enum": codes}}, "required": ["error_code", "msg"]},
                {"properties": {"code": {"enum": codes}}, "required": ["message"]}]}]}}
        said = " ".join(f"`{code}`: {self.sentences[code]}" if code in self.sentences else f"`{code}`."
                        for code in (codes if own else ours) or ours)
        return {"description": said, "headers": _refs("headers", names), "content": content}


def document(programs, errors):
    """The whole description."""
    return Document(programs, errors).made()
