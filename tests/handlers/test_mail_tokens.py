"""Mails with a token: it opens what it is for, is kept nowhere, and is not sent when it is worth nothing any more."""

import json

import pytest
from accounts import token_of

TO = "pat@example.org"


@pytest.fixture
def person(stack):
    """Somebody with an account."""
    return stack.value("insert into auth.users (id, email) values (gen_random_uuid(), %s) on conflict (lower(email)) "
                       "where email is not null do update set email = excluded.email returning id", TO)


def token(stack, person, kind="signup", **more):
    """A one-time token's id."""
    columns = {"kind": kind, "user_id": person, "expires_at": "2999-12-31 23:30+00", **more}
    return str(stack.value(f"insert into hookswitch_auth.one_time_tokens ({', '.join(columns)}) "
                           f"values ({', '.join(['%s'] * len(columns))}) returning id", *columns.values()))


def send(stack, ident, kind, token_id, **data):
    """Ask for a mail with that token."""
    return stack.value("select public.mail_send(%s, %s, %s, %s)", ident, kind, TO,
                       json.dumps({"token_id": token_id, **data}))


def history(stack):
    """All that the database keeps of runs."""
    return stack.value("select coalesce(jsonb_agg(to_jsonb(r)), '[]')::text || (select coalesce(jsonb_agg(to_jsonb(s)), '[]')::text"
                       " from workflow_steps s) from workflow_runs r")


@pytest.mark.parametrize("kind, purpose, path", [
    ("verify_email", "signup", "/auth/verify-email"), ("email_change", "email_change", "/auth/verify-email"),
    ("reset_password", "recovery", "/auth/reset-password"), ("magic_link", "magiclink", None)])
def test_a_link_carries_a_token_that_is_kept_nowhere(stack, person, kind, purpose, path):
    ident = token(stack, person, purpose)
    send(stack, "m1", kind, ident, redirect_to="https://app.example.com/x?y=1")
    mail = stack.wait_mail(TO, kind, env={"APP_URL": "https://app.example.com"})
    at = f"https://app.example.com{path}?token={mail.token}" if path else \
        f"{stack.url}/auth/v1/verify?token={mail.token}&type=magiclink"
    assert mail.link == at + "&redirect_to=https%3A%2F%2Fapp.example.com%2Fx%3Fy%3D1"
    assert mail.token.startswith(ident + ".") and mail.link.replace("&", "&amp;") in mail.html
    assert "until 31 Dec 2999 23:30 UTC" in mail.text and f"<b>{mail.code}</b>" in mail.html
    kept = history(stack)
    assert mail.token not in kept and mail.code not in kept.replace(ident, "") and ident in kept


def test_without_an_application_links_lead_to_us(stack, person):
    ident = token(stack, person, "recovery")
    send(stack, "m1", "reset_password", ident)
    mail = stack.wait_mail(TO)
    assert mail.link == f"{stack.url}/auth/v1/verify?token={mail.token}&type=recovery"


def test_tokens_of_two_purposes_differ(stack, person):
    ident = token(stack, person)
    for n, kind in enumerate(("verify_email", "reset_password")):
        send(stack, f"m{n}", kind, ident)
    first, second = stack.wait_mail(TO, "verify_email"), stack.wait_mail(TO, "reset_password")
    assert first.token != second.token and first.token[:36] == second.token[:36]


def test_a_mail_that_is_sent_again_is_the_same_mail(stack, person):
    """Else the provider would refuse it: one key, two bodies."""
    send(stack, "m1", "verify_email", token(stack, person))
    stack.sandbox.rule({"answer": "reset"}, provider="resend", times=2)
    for _ in range(3):
        stack.work()
        stack.mails_due()
    mail, = stack.mails()
    assert stack.value("select result ->> 'id' from workflow_steps") == mail.raw["id"]


@pytest.mark.parametrize("change, why", [({"used_at": "2026-01-01"}, "token_used"), ({"expires_at": "2026-01-01"}, "token_expired"),
                                         ({"user_id": None}, "nobody")])
def test_a_token_that_is_worth_nothing_is_not_sent(stack, person, change, why):
    send(stack, "m1", "verify_email", token(stack, person, **change))
    stack.work()
    assert stack.mails() == [] and stack.mail_runs() == {"mail:m1": ("done", None)}
    assert stack.value("select result from workflow_steps") == {"skipped": why}


def test_a_token_that_is_used_while_the_mail_waits_ends_it(stack, person):
    ident = token(stack, person)
    stack.sandbox.rule({"status": 503}, provider="resend", times=1)
    send(stack, "m1", "verify_email", ident)
    stack.work()
    stack.sql("update hookswitch_auth.one_time_tokens set used_at = now() where id = %s", ident)
    stack.mails_due()
    stack.work()
    assert stack.mails() == [] and stack.mail_runs() == {"mail:m1": ("done", None)}


def test_an_invitation_says_who_invites_where(stack, alice):
    ident = str(stack.value("insert into organization_invitations (organization_id, email, role, expires_at) values "
                            "(%s, %s, 'member', '2999-01-02 03:04+00') returning id", alice.organization, TO))
    send(stack, "m1", "invitation", ident, organization_name="Acme", inviter_name="Alice", role="member")
    mail = stack.wait_mail(TO, "invitation", env={"FRONTEND_URL": "https://front.example.com"})
    assert mail.subject == "Alice invites you to Acme" and mail.code is None
    assert mail.link == f"https://front.example.com/invitations?token={mail.token}"
    assert mail.token == token_of(stack, "invitation", ident)
    stack.sql("update organization_invitations set state = 'revoked' where id = %s", ident)
    send(stack, "m2", "invitation", ident)
    stack.work()
    assert len(stack.mails()) == 1
