"""Members of answers that the examples of docs/api.md do not show: how each is got.

A member in a table of answers that nothing ever answers would be a lie; test_api_examples.py finds it by its name.  What an example does
not come by (the items of a list that is empty there, what is only answered in some other state) needs a row in SHOWN: the schema, and a
function that asks for it.  Whose members are those of another view too has a row in LIKE.
"""

import secrets

import accounts
import accounts_v1
from model_routes import Tenant
from stack_billing import plan, subscribe, tells
from stack_client import Client
from stack_hooks import recorded
from stack_inbound import Line, secret
from stack_operators import ADMIN, dead_letter, number_difference, operator

AUTH, ONE = accounts.AUTH, "/api/v1/organizations/"


def ordered(stack):
    """Somebody with a call that waits; answers both."""
    stack.provider("vapi")
    who = stack.user("orders-" + secrets.token_hex(4))
    return who, stack.schedule(1, who, stack.template())[0]


def tried_twice(stack):
    """A call that reached nobody at first."""
    who, call = ordered(stack)
    stack.sql("""insert into call_retries (call_id, call_created_at, organization_id, attempt, reason, delay_seconds, retry_at)
                 select id, created_at, organization_id, 1, 'customer-busy', 60, now() from calls where id = %s""", call)
    who.get(f"/api/v1/calls/{call}")


def settled(stack):
    """An organization with all its settings."""
    who = stack.user("settles-" + secrets.token_hex(4))
    number = "+15550100003"
    who.expect("PATCH", ONE + who.organization, {"settings": {
        "notifications": {"sms": {"enabled": True, "numbers": [number]}, "email": {"enabled": True, "addresses": ["a@example.com"]}},
        "transfer_numbers": {"dispatch": number, "manager": number, "emergency": number},
        "assistant": {"template": "receptionist", "variable_values": {"business_description": "We grow.", "opening_hours": "always"},
                      "default_id": who.post("/api/v1/assistants", {"name": "Riley"}, expect=201)["id"]}}})


def signed_up(stack):
    """A person with an account of ours, signed in."""
    email = f"{secrets.token_hex(6)}@example.com"
    accounts.sign_up(stack, email)
    return accounts.Person(stack, email, stack.anybody().post(AUTH + "/verify-email", {"token": accounts.link(stack, email, "verify_email")}))


def moved(stack):
    """A person with a new address."""
    who, email = signed_up(stack), f"{secrets.token_hex(6)}@example.com"
    who.post(AUTH + "/change-email", {"email": email, "password": accounts.PASSWORD}, expect=202)
    stack.anybody().post(AUTH + "/verify-email", {"token": accounts.link(stack, email, "email_change")})


def half_signed_in(stack):
    """A sign-in that waits for its second step."""
    who = signed_up(stack)
    secret = who.post(AUTH + "/totp", {"password": accounts.PASSWORD}, expect=201)["secret"]
    who.post(AUTH + "/totp/verify", {"code": accounts.app_code(secret)})
    stack.anybody().post(AUTH + "/signin", {"email": who.email, "password": accounts.PASSWORD})


def banned(stack):
    """A person of whom everything is known, whose telephone somebody confirmed by SQL."""
    who = accounts_v1.person(stack, f"{secrets.token_hex(6)}@example.com")
    stack.sql("update auth.users set banned_until = now(), invited_at = now(), phone_confirmed_at = now() where id = %s", who.id)
    accounts_v1.service(stack).fine("GET", f"/admin/users/{who.id}")


def without_redis(stack):
    """Redis is wanted, and not there."""
    with stack.other_settings("status", REDIS_URL="redis://127.0.0.1:1"):
        stack.anybody().get("/readyz")


def worked(stack):
    """A run with a step."""
    stack.sql("""with run as (insert into workflow_runs (id, workflow, due_at) values ('shown', 'example', '2099-01-01') returning id)
                 insert into workflow_steps (run_id, generation, step, state) select id, 1, 'first', 'sent' from run""")
    Client(stack.url, {"Authorization": f"Bearer {stack.secrets['internal']}"}).get("/internal/workflow-runs/shown")


def answered(stack):
    """What Vapi wants an answer to."""
    at_vapi = Client(stack.url, {"Authorization": f"Bearer {stack.secrets['vapi']}"})
    organization = stack.user("hears-" + secrets.token_hex(4)).organization
    for kind in ("tool-calls", "assistant-request", "function-call.legacy"):
        at_vapi.post(f"/api/webhooks/vapi/{organization}", {"message": recorded(kind)})


def subscribed(stack):
    """An organization with a plan, as operators see it."""
    who = stack.user("pays-" + secrets.token_hex(4))
    stack.sql("""insert into subscriptions (organization_id, plan_id, tier_type) select %s, id, name from subscription_plans where name = 'basic'""",
              who.organization)
    operator(stack).get(f"{ADMIN}/organizations/{who.organization}")


def billed(stack):
    """An organization that pays."""
    who = stack.user("buys-" + secrets.token_hex(4))
    tells(stack)
    subscribe(stack, who, plan(stack, "basic"))
    who.get("/api/v1/billing")


def overseen(stack):
    """A call that waits and a run, as operators see them."""
    ordered(stack)
    dead_letter(stack, None)
    for path in ("/queue", "/runs"):
        operator(stack).get(ADMIN + path)


def unlisted(stack):
    """An end reason that is in no list."""
    stack.sql("insert into end_reasons_unlisted (provider_type, reason) values ('vapi', 'odd') on conflict do nothing")
    operator(stack).get(f"{ADMIN}/queue/end-reasons")


def found(stack):
    """A call that was talked about, found again, and counted."""
    stack.provider("vapi")
    tenant = Tenant(stack, "talks-" + secrets.token_hex(4))
    tenant.call("completed")
    stack.sql("update call_transcripts set transcript_text = 'We talked about the harbor.', summary = 'The harbor.' where transcript_text = %s", tenant.word)
    stack.value("select public.transcripts_read(100)")
    tenant.person.get("/api/v1/calls/search?q=harbor")
    tenant.person.get("/api/v1/calls/analytics?group_by=day")


def used(stack):
    """What a call has cost, by day."""
    stack.provider("vapi")
    tenant = Tenant(stack, "uses-" + secrets.token_hex(4))
    tenant.call("completed")
    tenant.person.get("/api/v1/billing/usage")


def half_taken(stack):
    """A batch of which one call is refused."""
    who, _ = ordered(stack)
    who.post("/api/v1/calls/batch", {"on_error": "continue", "calls": [
        {"recipient_number": stack.number(), "template_id": template} for template in (stack.template(), secrets.token_hex(3))]}, expect=201)


def wished(stack):
    """Somebody who wishes for a voice in a language."""
    voice = str(stack.insert("voice_options", voice_id=secrets.token_hex(4), name="Ann", language="de"))
    stack.user("wishes").expect("PUT", "/api/v1/voices/preferences", {"languages": [{"language": "de", "voice_id": voice}]})


def noted(stack):
    """A number and what was done with it."""
    tenant = Tenant(stack, "notes-" + secrets.token_hex(4))
    tenant.person.get(f"/api/v1/phone-numbers/{tenant.ids('number_id')[0]}/log")


def asked(stack):
    """A caller for whom an assistant is named, and one who is put through to a person."""
    who = stack.user("asked")
    for column in ({}, {"forward_to": "+15550100003", "forward_when": "always"}):
        line = Line(stack, who, status="active", **column)
        event = {"message": {"type": "assistant-request", "phoneNumber": {"id": line.voice_id, "number": line.number},
                             "call": {"id": secrets.token_hex(8), "type": "inboundPhoneCall", "phoneNumberId": line.voice_id},
                             "customer": {"number": "+15550100004"}}}
        Client(stack.url, secret(stack, who)).post(f"/api/webhooks/vapi/{who.organization}", event)


def strayed(stack):
    """A number whose settings at Twilio are not ours."""
    number_difference(stack, stack.user("strayed").organization)
    operator(stack).get(f"{ADMIN}/numbers/differences")


SHOWN = {
    "PhoneNumberLog": noted,
    **{name: asked for name in ("VapiDestination", "VapiEvent")},
    "AdminNumberDifference": strayed,
    "CallBatchError": half_taken,
    **{name: found for name in ("AnalyticsGroup", "SearchHit", "SearchPiece")},
    "LanguageVoice": wished,
    "AdminPlan": subscribed,
    "Upcoming": billed,
    "UsageGroup": used,
    "AdminQueueOrganization": overseen,
    "AdminEndReason": unlisted,
    "CallLine": lambda stack: ordered(stack)[0].get("/api/v1/calls"),
    "CallRetry": tried_twice,
    **{name: settled for name in ("Notifications", "SmsNotifications", "EmailNotifications", "TransferNumbers")},
    "EmailChanged": moved,
    "TotpChallenge": half_signed_in,
    "SupabaseUser": banned,
    "Readiness": without_redis,
    "WorkflowStep": worked,
    **{name: answered for name in ("VapiEvent", "VapiTool")},
}
LIKE = {"SupabaseLink": "SupabaseUser"}
