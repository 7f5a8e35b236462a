"""Operators of an installation in a stack, and what hangs in it: for the tests of admin."""

import secrets

ADMIN = "/api/v1/admin"
CLAIM = {"app_metadata": {"hookswitch_operator": True}}


def operator(stack, name="olga"):
    """A person who looks after the installation."""
    return stack.user(name, **CLAIM)


def bearer(stack, name, **claims):
    """Somebody with a token of these claims, who has not asked for anything yet."""
    return stack.anybody().with_headers(Authorization=f"Bearer {stack.token(name, **claims)}")


def attempt(stack, call, provider=None, **columns):
    """An attempt of a call that was claimed long ago, as somebody left it; answers its id."""
    row = stack.call(call)
    kind = {"id": provider} if provider else {"id": stack.value("select id from call_service_providers limit 1")}
    return stack.insert("call_assignments", **{
        "call_id": call, "call_created_at": row.created_at, "organization_id": row.organization_id, "provider_id": kind["id"],
        "provider_type": "vapi", "attempt": 1, "state": "accepted", "lease_until": "2020-01-01", "sent_at": "2020-01-01",
        "accepted_at": "2020-01-01", "updated_at": "2020-01-01", "provider_call_id": "call-" + secrets.token_hex(8), **columns})


def event(stack, organization, **columns):
    """An event that came in and could not be applied; answers its id."""
    return stack.insert("webhook_events", **{
        "provider": "vapi", "organization_id": organization, "signer": "call", "type": "status-update", "key": secrets.token_hex(8),
        "state": "failed", "apply_error": "XX000 something", "report": '{"status":"ringing"}', "body": "{}", "try_at": "2099-01-01", **columns})


def difference(stack, organization, **columns):
    """Where our books and Stripe's do not agree; answers its id."""
    return stack.insert("billing_differences", **{"provider": "stripe", "kind": "invoice_status", "external_id": "in_" + secrets.token_hex(8),
                                                  "organization_id": organization, "theirs": {"status": "paid"}, **columns})


def number_difference(stack, organization, **columns):
    """Where our numbers and Twilio's do not agree; answers its id."""
    return stack.insert("number_differences", **{"provider": "twilio", "kind": "drift", "external_id": "PN" + secrets.token_hex(16),
                                                 "organization_id": organization, **columns})


def dead_letter(stack, organization, ident=None):
    """A run that failed for good; answers its id."""
    ident = ident or "dead-" + secrets.token_hex(8)
    stack.sql("""insert into workflow_runs (id, workflow, organization_id, state, last_error, due_at, finished_at)
                 values (%s, 'mail', %s, 'failed', 'send: refused', null, now())""", ident, organization)
    return ident
