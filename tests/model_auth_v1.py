"""The routes of the program auth-v1, for test_isolation.py: why each is open to all, and what a stranger tries there.

They ask themselves who one is, in Supabase's words, so --describe calls them public.  Routes with a session are tried with tokens that
open nothing, and with one's own token and another's things; those of the application with everything but its token.
"""

import json
import time
import uuid

from accounts_v1 import V1
from stack_client import Client, sign_token, user_claims

WRONG = "not the password"


def row(tenant, table, **columns):
    """A new row; its id."""
    names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
    return tenant.stack.value(f"insert into {table} ({names}) values ({marks}) returning id", *columns.values())


def account(tenant):
    """The tenant's person signed up here, with a password that nobody knows."""
    who = tenant.person
    tenant.stack.sql("""insert into auth.users (id, email, email_confirmed_at, raw_user_meta_data) values (%s, %s, now(), %s)
        on conflict (id) do nothing""", who.id, who.claims["email"], json.dumps({"word": tenant.word}))
    tenant.stack.sql("insert into hookswitch_auth.credentials (user_id, password_hash) values (%s, '*') on conflict do nothing", who.id)


def session(tenant, **columns):
    """The id of a session of the tenant's person."""
    return str(row(tenant, "hookswitch_auth.sessions", user_id=tenant.person.id, expires_at="2099-01-01", **columns))


def factor(tenant, **columns):
    """The id of a second factor of his."""
    account(tenant)
    return row(tenant, "hookswitch_auth.factors", user_id=tenant.person.id, secret="sealed:x", **columns)


def challenge(tenant):
    """The id of a challenge for it."""
    return row(tenant, "hookswitch_auth.one_time_tokens", kind="totp", user_id=tenant.person.id, expires_at="2099-01-01",
               data=json.dumps({"factor_id": tenant.ids("factor_id")[0]}))


def with_token(tenant, secret=None, **claims):
    """The tenant's person with another token."""
    token = sign_token(secret or tenant.stack.secrets["jwt"], user_claims(tenant.person.name, **claims))
    return Client(tenant.stack.url, {"Authorization": f"Bearer {token}"})


def strangers(asker, other):
    """(somebody whose token opens nothing, the status he gets)."""
    past = int(time.time()) - 3600
    yield asker.stack.anybody(), 401
    yield Client(asker.stack.url, {"X-API-Key": "hsk_" + "x" * 40, "apikey": "hsk_" + "x" * 40}), 401
    yield asker.key, 403
    yield with_token(other, "not the secret"), 403
    yield with_token(other, exp=past), 403
    yield with_token(other, session_id=str(uuid.uuid4())), 403
    yield with_token(other, session_id=session(asker)), 403
    yield with_token(asker, session_id=other.ids("session_id")[0]), 403


def by_person(method, path, body, *own):
    """A route with a session.  path and body: made from whose things are named; own: statuses for the asker himself, with the other's."""
    def attempts(asker, other):
        for who, status in strangers(asker, other):
            yield who.ask(method, V1 + path(other), body(other)), (status,)
        yield asker.person.ask(method, V1 + path(other), body(other)), own
        yield with_token(asker, app_metadata={"organization_id": other.organization, "sub": other.person.id},
                         user_metadata={"sub": other.person.id}).ask(method, V1 + path(other), body(other)), own
    return attempts


def by_service(method, path, body):
    """A route of the application: for nobody else, whatever his token says beside."""
    def attempts(asker, other):
        service = {"role": "service_role"}
        for who, status in (
                (asker.stack.anybody(), 401), (Client(asker.stack.url, {"X-API-Key": "hsk_" + "x" * 40}), 401), (asker.key, 403),
                (asker.person, 403), (other.person, 403), (with_token(asker, session_id=session(asker, aal="aal2"), aal="aal2"), 403),
                (with_token(asker, app_metadata=service, user_metadata=service), 403), (with_token(asker, "not the secret", **service), 403),
                (with_token(asker, exp=int(time.time()) - 3600, **service), 403), (with_token(asker, role=["service_role"]), 403),
                (with_token(asker, role="anon"), 403), (with_token(asker, role="hookswitch_pump"), 403)):
            yield who.ask(method, V1 + path(other), body(other)), (status,)
    return attempts


def by_proof(method, path, body, *statuses):
    """A route that asks for a proof: what somebody sends who has none, about the other."""
    def attempts(asker, other):
        for who in (asker.stack.anybody(), asker.person):
            for sent in body(other):
                yield who.ask(method, V1 + path, sent), statuses
    return attempts


def nothing(_):
    """No body."""
    return None


def at(path):
    """A path in which {factor_id} and {user_id} are the other's."""
    return lambda other: path.format(factor_id=other.ids("factor_id")[0], user_id=other.person.id)


def _passwords(other):
    return [{"email": other.person.claims["email"], "password": word} for word in ("*", WRONG)]


def _digits(other):
    return [{"type": kind, "email": other.person.claims["email"], "token": "000000"} for kind in ("signup", "recovery", "magiclink", "email")] + [
        {"type": "recovery", "token_hash": f"{ident}.{'0' * 64}"} for ident in (other.ids("challenge_id")[0], other.person.id)]


def _code(other):
    return {"challenge_id": other.ids("challenge_id")[0], "code": "123456"}


def _account(other):
    return {"email": other.person.claims["email"], "password": "another correct horse", "user_metadata": {"a": 1}, "ban_duration": "1h"}


PROOF, SESSION, SERVICE = "a password or a token of one's own is asked for", "a session is asked for", "the application's token is asked for"
HIMSELF = "what it leads to is mailed to the person himself"

OPEN = {
    ("GET", "/settings"): ("says what anybody can do", None),
    ("GET", "/health"): ("says only that the program lives", None),
    ("GET", "/.well-known/jwks.json"): ("says only that there are no public keys", None),
    ("POST", "/recover"): (HIMSELF, None), ("POST", "/resend"): (HIMSELF, None), ("POST", "/otp"): (HIMSELF, None),
    ("POST", "/magiclink"): (HIMSELF, None),
    ("POST", "/signup"): (HIMSELF, by_proof("POST", "/signup", lambda other: [_account(other)], 200)),
    ("POST", "/token"): (PROOF, by_proof("POST", "/token?grant_type=password", _passwords, 400)),
    ("POST", "/verify"): (PROOF, by_proof("POST", "/verify", _digits, 403, 429)),
    ("GET", "/verify"): (PROOF, by_proof("GET", "/verify?type=recovery&token=x", lambda other: [None], 303)),
    ("GET", "/user"): (SESSION, by_person("GET", at("/user"), nothing, 200)),
    ("PUT", "/user"): (SESSION, by_person("PUT", at("/user"), lambda other: {"email": other.person.claims["email"], "data": {}}, 200, 422)),
    ("POST", "/logout"): (SESSION, by_person("POST", at("/logout"), nothing, 204)),
    ("POST", "/factors"): (SESSION, by_person("POST", at("/factors"), lambda other: {"factor_type": "totp"}, 200)),
    ("POST", "/factors/{factor_id}/challenge"): (SESSION, by_person("POST", at("/factors/{factor_id}/challenge"), lambda other: {}, 404)),
    ("POST", "/factors/{factor_id}/verify"): (SESSION, by_person("POST", at("/factors/{factor_id}/verify"), _code, 404)),
    ("DELETE", "/factors/{factor_id}"): (SESSION, by_person("DELETE", at("/factors/{factor_id}"), nothing, 404)),
    ("GET", "/admin/users"): (SERVICE, by_service("GET", at("/admin/users"), nothing)),
    ("POST", "/admin/users"): (SERVICE, by_service("POST", at("/admin/users"), _account)),
    ("GET", "/admin/users/{user_id}"): (SERVICE, by_service("GET", at("/admin/users/{user_id}"), nothing)),
    ("PUT", "/admin/users/{user_id}"): (SERVICE, by_service("PUT", at("/admin/users/{user_id}"), _account)),
    ("DELETE", "/admin/users/{user_id}"): (SERVICE, by_service("DELETE", at("/admin/users/{user_id}"), nothing)),
    ("POST", "/admin/generate_link"): (SERVICE, by_service("POST", at("/admin/generate_link"), lambda other: {
        "type": "recovery", "email": other.person.claims["email"]})),
}
OPEN = {(method, V1 + path): known for (method, path), known in OPEN.items()}

# What half a session gets from the routes with a session: the body sent, the status, and the code of an error.
HALF = {
    ("GET", "/user"): (None, 200, None),
    ("PUT", "/user"): ({"data": {"a": 1}}, 401, "insufficient_aal"),
    ("POST", "/factors"): ({"factor_type": "totp"}, 422, "too_many_enrolled_mfa_factors"),
    ("POST", "/factors/{factor_id}/challenge"): ({}, 200, None),
    ("POST", "/factors/{factor_id}/verify"): ({"challenge_id": str(uuid.uuid4()), "code": "123456"}, 422, "mfa_challenge_expired"),
    ("DELETE", "/factors/{factor_id}"): (None, 401, "insufficient_aal"),
    ("POST", "/logout"): (None, 204, None),
}
HALF = {(method, V1 + path): known for (method, path), known in HALF.items()}
