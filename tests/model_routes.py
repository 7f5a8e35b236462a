"""What test_isolation.py needs to know of routes: how the things are made that their ids name, and sample values.

The routes themselves come from the programs (--describe).  A new route needs something here only where it
- has an id of a new kind (a path, query or body field of type uuid): a row in THINGS, or in SHARED,
- requires a text that must be of some form: a row in SAMPLES; or one of several fields: a row in GIVEN,
- is open to everybody: a row in OPEN that says why that is safe, with attempts where it takes ids,
- ends what other routes need: a row in LAST.
The tests say by name what is missing.
"""

import secrets
import uuid
from urllib.parse import urlencode

from psycopg.types.json import Jsonb

import model_auth_v1
from accounts import token_of
from model_auth_v1 import row as _row
from stack_client import Client
from stack_hooks import SIGNATURES, synthflow_signature, twilio_signature, vapi_event
from stack_operators import attempt, difference, event


class Tenant:
    """An organization with one of everything.  All texts of it hold its word, so that it can be found in answers."""

    def __init__(self, stack, name, **claims):
        self.stack, self.word = stack, f"{name}-{secrets.token_hex(6)}"
        self.person = stack.user(name, **claims)
        self.organization = self.person.organization
        self.key = stack.api_key(self.organization)
        self.things, self.event = {}, None

    def ids(self, field):
        """The ids of this tenant's own things that a field of this name can hold."""
        if field not in THINGS:
            missing(f"the field {field} names something: add how a tenant's own is made to THINGS")
        if field not in self.things:
            self.things[field] = [str(one) for one in THINGS[field][0](self)]
        return self.things[field]

    def make_all(self):
        """One of everything."""
        for field in THINGS:
            self.ids(field)
        return self

    def member(self, role):
        """A person who belongs to this organization in a role, and acts for it."""
        who = self.stack.user(f"{role}-{self.word}-{secrets.token_hex(3)}")
        self.stack.sql("""insert into organization_members (organization_id, user_id, role) values (%s, %s, %s)""",
                       self.organization, who.id, role)
        return who.with_headers(X_Organization_Id=self.organization)

    def call(self, status):
        """A call in that state with all that hangs on it, without a provider's doing."""
        row = {"organization_id": self.organization, "user_id": self.person.id, "status": status, "to_number": self.stack.number(),
               "recipient_name": self.word, "template_id": self.ids("template_id")[0], "custom_variables": {"word": self.word}}
        if status == "queued":
            ident, = self.stack.schedule(1, self.person, row["template_id"], recipient_name=self.word,
                                         scheduled_time="2099-01-01T00:00:00Z", metadata={"word": self.word})
            return ident
        ident = self.stack.insert("calls", finished_at="now", ended_at="now", provider_type="vapi",
                                  provider_id=self.stack.value("select id from call_service_providers limit 1"),
                                  provider_call_id="call-" + self.word, **row)
        hangs = {"call_id": ident, "call_created_at": self.stack.call(ident).created_at, "organization_id": self.organization}
        self.stack.insert("call_actions", action_type="note", action_data={"word": self.word}, **hangs)
        self.stack.insert("call_feedback", rating=5, comments=self.word, **hangs)
        for kind in ("calls", "seconds"):
            self.stack.insert("usage_entries", kind=kind, quantity=1, billable=1, occurred_at="now", billed_at="now", **hangs)
        for table, columns in (("call_transcripts", {"transcript_text": self.word}), ("call_recordings", {"recording_url": self.word})):
            names = ", ".join([*hangs, *columns])
            self.stack.sql(f"insert into {table} ({names}) values ({', '.join(['%s'] * (len(hangs) + len(columns)))})",
                           *hangs.values(), *columns.values())
        return ident


def _template(tenant):
    return tenant.stack.template(organization_id=tenant.organization, name=tenant.word, created_by=tenant.person.id, category="reminders")


def _number(tenant):
    return tenant.stack.insert("phone_numbers", organization_id=tenant.organization, phone_number=tenant.stack.number())


def _assistant(tenant):
    return _row(tenant, "assistants", organization_id=tenant.organization, name=tenant.word, system_prompt=tenant.word)


def _own_number(tenant):
    """A number of somebody's that waits for its code."""
    return _row(tenant, "verified_numbers", organization_id=tenant.organization, phone_number=tenant.stack.number(), expires_at="2099-01-01")


def _logged_number(tenant):
    """A number with two lines of its log."""
    ident = _row(tenant, "phone_numbers", organization_id=tenant.organization, phone_number=tenant.stack.number(), name=tenant.word)
    for action in ("search", "buy"):
        tenant.stack.insert("phone_provision_logs", organization_id=tenant.organization, phone_number_id=ident, trigger_action=action, status="noted",
                            reason=tenant.word)
    return ident


def _contact(tenant):
    """A contact that was called twice, and whose number is on the do-not-call list."""
    number = tenant.stack.number()
    for _ in range(2):
        tenant.stack.insert("calls", organization_id=tenant.organization, to_number=number, status="completed", finished_at="now")
    tenant.stack.sql("insert into do_not_call (organization_id, phone_number, reason) values (%s, %s, %s)", tenant.organization, number, tenant.word)
    return _row(tenant, "contacts", organization_id=tenant.organization, phone_number=number, name=tenant.word)


def _import(tenant):
    """An import with two errors."""
    ident = _row(tenant, "contact_imports", organization_id=tenant.organization, name=tenant.word)
    for n in (1, 2):
        tenant.stack.sql("""insert into contact_import_errors (import_id, position, organization_id, line, code, detail)
            values (%s, %s, %s, %s, 'e164', %s)""", ident, n, tenant.organization, n, tenant.word)
    return ident


def _invoice(tenant):
    """An invoice with a line, and what the book says of it."""
    external = f"in_{secrets.token_hex(8)}_{tenant.word}"
    _row(tenant, "billing_events", organization_id=tenant.organization, provider="stripe", key=external, event_type="invoice_paid",
         stripe_invoice_id=external, metadata=Jsonb({"word": tenant.word}))
    return _row(tenant, "invoices", organization_id=tenant.organization, provider="stripe", external_id=external, number=tenant.word, status="paid",
                currency="usd", issued_at="2026-01-01", lines=Jsonb([{"description": tenant.word, "amount": 1}]))


def _event(tenant):
    """The number of one event of the tenant's: no mark to know things by, as ids are."""
    if tenant.event is None:
        tenant.event = event(tenant.stack, tenant.organization)
    return tenant.event


# Name of a field -> (makes the ids of a tenant's own things that it can name, the code when there is none; None: it only filters a list).
THINGS = {
    "organization_id": (lambda t: [t.organization], "organization_not_found"),
    "template_id": (lambda t: [_template(t)], "template_not_found"),
    "call_template_id": (lambda t: [_template(t)], "call_template_not_found"),
    "share_id": (lambda t: [_row(t, "call_template_shares", template_id=t.ids("call_template_id")[0], email=f"{t.word}@example.com")],
                 "share_not_found"),
    "caller_number_id": (lambda t: [_number(t)], "caller_number_not_found"),
    "number_id": (lambda t: [_logged_number(t) for _ in range(2)], "number_not_found"),
    "verified_number_id": (lambda t: [_own_number(t) for _ in range(2)], "verified_number_not_found"),
    "session_id": (lambda t: [model_auth_v1.session(t)], "session_not_found"),
    "factor_id": (lambda t: [model_auth_v1.factor(t)], "mfa_factor_not_found"),
    "challenge_id": (lambda t: [model_auth_v1.challenge(t)], "mfa_challenge_expired"),
    "user_id": (lambda t: [t.member("member").id], "member_not_found"),
    "invitation_id": (lambda t: [_row(t, "organization_invitations", organization_id=t.organization, role="member",
                                      email=f"guest-{secrets.token_hex(3)}-{t.word}@example.com", expires_at="2099-01-01",
                                      sent_at="2020-01-01")], "invitation_not_found"),
    "key_id": (lambda t: [_row(t, "api_keys", organization_id=t.organization, name=t.word, prefix="hsk_" + t.word[:4],
                               key_hash=secrets.token_hex(32))], "api_key_not_found"),
    "actor_id": (lambda t: [t.person.id], None),
    "target_id": (lambda t: [*t.ids("key_id"), *t.ids("user_id")], None),
    # What operators look at is the installation's; these belong to the tenant's calls all the same.
    "provider_id": (lambda t: [t.stack.provider("vapi")], "provider_not_found"),
    "attempt_id": (lambda t: [attempt(t.stack, t.call("completed"), state="unknown", lease_until="2020-01-01", next_look_at="2099-01-01")],
                   "attempt_not_found"),
    "call_id": (lambda t: [t.call("completed"), t.call("queued")], "call_not_found"),
    "assistant_id": (lambda t: [_assistant(t) for _ in range(2)], "assistant_not_found"),
    "default_id": (lambda t: t.ids("assistant_id")[:1], "assistant_not_found"),
    "contact_id": (lambda t: [_contact(t) for _ in range(2)], "contact_not_found"),
    "invoice_id": (lambda t: [_invoice(t) for _ in range(2)], "invoice_not_found"),
    "checkout_id": (lambda t: [_row(t, "checkout_sessions", organization_id=t.organization, external_id=f"cs_{secrets.token_hex(8)}_{t.word}", plan_id=t.stack.value(
        "select id from subscription_plans where name = 'basic'"))], "checkout_not_found"),
    "import_id": (lambda t: [_import(t) for _ in range(2)], "import_not_found"),
    "difference_id": (lambda t: [difference(t.stack, t.organization, theirs={"word": t.word})], "difference_not_found"),
}

# Ids of things that belong to nobody, with the reason.
SHARED = {"plan_id": "plans are on offer to everybody", "voice_id": "voices are on offer to everybody", "default_voice_id": "the same",
          "with_organization_id": "whoever was told an organization's id may share a template of his with it; nothing of it is told"}

# Values of required fields by name; else by type.
SAMPLES = {
    "event_id": _event,
    "role": "member",
    "scopes": ["calls:read"],
    "email": lambda t: f"{secrets.token_hex(6)}-{t.word}@example.com",
    "code": "123456",
    "slug": "receptionist",
    "token": lambda t: token_of(t.stack, "invitation", t.ids("invitation_id")[0]),
}
TYPES = {"e164": "+15557654321", "email": "ann@example.com", "time": "2099-01-01T00:00:00Z", "int": 1, "number": 1, "bool": True,
         "object": {}, "uuid": "11111111-1111-4111-8111-111111111111"}

# Fields that a route wants though none of them alone is required.
GIVEN = {("POST", "/api/v1/auth/" + name): {"token": "no token of ours"} for name in ("verify-email", "reset-password")}
GIVEN["POST", "/api/v1/assistants"] = {"name": "Riley"}
GIVEN["POST", "/api/v1/auth/signin/totp"] = {"code": "123456"}

# Routes after which others could not be tried any more: in this order, at the end.
LAST = [("DELETE", "/api/v1/organizations/{organization_id}"), ("DELETE", "/api/v1/organizations/{organization_id}/members/me")]


def vapi_attempts(asker, other):
    """The webhook of another organization, and one's own about another's call, by somebody who can sign for his own."""
    stack = asker.stack
    stack.sql("insert into webhook_secrets (organization_id, provider, kind, secret) values (%s, 'vapi', 'bearer', %s)",
              asker.organization, "secret-" + asker.word)
    event = vapi_event("end-of-call-report", "call-" + other.word)
    own = Client(stack.url, {"Authorization": "Bearer secret-" + asker.word})
    yield own.ask("POST", f"/api/webhooks/vapi/{asker.organization}", event), (200,)
    for secret in (None, "secret-" + asker.word, str(uuid.uuid4())):
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        yield Client(stack.url, headers).ask("POST", f"/api/webhooks/vapi/{other.organization}", event), (401,)


def synthflow_attempts(asker, other):
    """The same at SynthFlow's."""
    stack = asker.stack
    stack.sql("insert into webhook_secrets (organization_id, provider, kind, secret) values (%s, 'synthflow', 'call_id', %s)",
              asker.organization, "secret-" + asker.word)
    event = {"status": "completed", "call": {"call_id": "call-" + other.word, "status": "completed"}}
    signed = synthflow_signature("secret-" + asker.word, "call-" + other.word)
    yield Client(stack.url, signed).ask("POST", f"/api/webhooks/synthflow/{asker.organization}", event), (200,)
    for headers in ({}, signed, synthflow_signature(str(uuid.uuid4()), "call-" + other.word)):
        yield Client(stack.url, headers).ask("POST", f"/api/webhooks/synthflow/{other.organization}", event), (401,)


def money_attempts(provider):
    """An event of a payment provider by somebody who has no secret of the installation's: all secrets of organizations are none."""
    def attempts(asker, _other):
        event = b'{"id":"evt_1","event_id":"evt_1","type":"x","event_type":"x"}'
        asker.stack.sql("insert into webhook_secrets (organization_id, provider, kind, secret) values (%s, %s, 'hmac', %s)",
                        asker.organization, provider, "secret-" + asker.word)
        for headers in ({}, SIGNATURES[provider]("secret-" + asker.word, event), SIGNATURES[provider](str(uuid.uuid4()), event)):
            yield Client(asker.stack.url, headers).ask("POST", f"/api/webhooks/{provider}", event), (401,)
    return attempts


def twilio_attempts(tail):
    """A form of Twilio's about another's number, by somebody who does not know the account's token."""
    def attempts(asker, other):
        stack, path = asker.stack, "/api/webhooks/twilio/" + tail
        number = stack.value("select phone_number from phone_numbers where id = %s", other.ids("number_id")[0])
        pairs = [("AccountSid", "AC1"), ("CallSid", "CA" + "0" * 32), ("MessageSid", "SM" + "0" * 32), ("From", "+15550100001"), ("To", number), ("Body", "STOP")]
        for headers in ({}, twilio_signature("secret-" + asker.word, stack.url + path, pairs), twilio_signature(str(uuid.uuid4()), stack.url + path, pairs)):
            yield Client(stack.url, {"Content-Type": "application/x-www-form-urlencoded", **headers}).ask("POST", path, urlencode(pairs).encode()), (401,)
    return attempts


# Routes that anybody may ask: why that is safe, and what a stranger tries there with another's ids (None: they take none).
OPEN = {
    **model_auth_v1.OPEN,
    ("GET", "/healthz"): ("says only that the program lives", None),
    ("GET", "/readyz"): ("says only that the installation is ready", None),
    ("POST", "/api/webhooks/vapi/{organization_id}"): ("events are signed", vapi_attempts),
    ("POST", "/api/webhooks/synthflow/{organization_id}"): ("events are signed", synthflow_attempts),
    ("POST", "/api/webhooks/stripe"): ("events are signed", money_attempts("stripe")),
    ("POST", "/api/webhooks/paddle"): ("events are signed", money_attempts("paddle")),
    **{("POST", "/api/webhooks/twilio/" + tail): ("forms are signed", twilio_attempts(tail)) for tail in ("status", "message", "sms", "voice", "voice/recording")},
}
OPEN.update({("POST", "/api/v1/auth/" + name): ("a password, a code or a token of one's own is asked for", None) for name in (
    "signup", "verify-email", "resend-verification", "signin", "signin/totp", "refresh", "forgot-password", "reset-password")})


def missing(what):
    """Fails a test by saying what a new route needs."""
    raise AssertionError(f"{what} (tests/model_routes.py says how)")


def sample(field, tenant):
    """A value that a required field may have, with things of the tenant's."""
    name, kind = field["name"], field["type"]
    if name in SAMPLES:
        return SAMPLES[name](tenant) if callable(SAMPLES[name]) else SAMPLES[name]
    if name in THINGS:
        return tenant.ids(name)[0]
    if kind == "enum":
        return field["values"][0]
    if kind == "array" and field.get("fields"):
        return [{f["name"]: sample(f, tenant) for f in field["fields"] if f["required"]}]
    if kind == "uuid" and name not in SHARED:
        missing(f"the field {name} names something: add how a tenant's own is made to THINGS, or the reason to SHARED")
    if kind == "string":
        return tenant.word
    if kind not in TYPES:
        missing(f"the field {name} of type {kind} needs a value: add it to SAMPLES")
    return TYPES[kind]
