"""Accounts as clients of Supabase Auth see them: sign-up, sessions, one's own account, and each error's shape."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from accounts import PASSWORD, Person, code, link, mails, token_of
from accounts_v1 import (ANN, DATED, Caller, claims_of, person, recorded, refused, same_shape, sign_in, sign_up,
                         signed_in)
from stack import BOTH_WAYS, Stack
from stack_client import problem, sign_token, user_claims

OTHER = "another correct horse"


def anybody(stack, method, path, body=None, **more):
    """A request without any session; answers the response."""
    return Caller(stack).v1(method, path, body, **more)


# ---- sign-up -------------------------------------------------------------------

@BOTH_WAYS
def test_somebody_signs_up_confirms_and_signs_in(stack):
    user = sign_up(stack, data={"full_name": "Owner One"})
    same_shape(user, recorded("signup.confirmation-required"))
    assert user["user_metadata"] == {"full_name": "Owner One"}
    assert user["app_metadata"] == {"provider": "email", "providers": ["email"]}
    refused(sign_in(stack), 400, "email_not_confirmed", "email_not_confirmed")
    session = Caller(stack).fine("POST", "/verify", {"type": "signup", "token_hash": link(stack, ANN, "verify_email")})
    same_shape(session, recorded("session"))
    assert session["user"]["id"] == user["id"] and session["user"]["user_metadata"] == {"full_name": "Owner One"}
    ann = signed_in(stack)
    same_shape(ann.session, recorded("session"))
    same_shape(ann.fine("GET", "/user"), recorded("user"))
    assert ann.fine("GET", "/user") == ann.session["user"]


def test_the_access_token_says_what_supabases_say_and_opens_the_api(stack):
    ann = person(stack, data={"full_name": "Owner One"})
    claims = claims_of(ann.session["access_token"])
    same_shape(claims, recorded("claims"))
    assert claims["iss"] == f"{stack.url}/auth/v1" and claims["exp"] - claims["iat"] == ann.session["expires_in"] == 3600
    assert claims["exp"] == ann.session["expires_at"] and claims["sub"] == ann.id
    assert ann.get("/api/v1/calls")["data"] == []
    assert ann.get("/api/v1/auth/me")["email"] == ANN


def test_six_digits_do_as_well_as_a_link(stack):
    sign_up(stack)
    for kind in ("signup", "email"):
        refused(anybody(stack, "POST", "/verify", {"type": kind, "email": ANN, "token": "000000"}), 403, "otp_expired",
                "otp_expired")
    session = Caller(stack).fine("POST", "/verify", {
        "type": "email", "email": ANN, "token": code(stack, ANN, "verify_email")})
    assert session["user"]["email_confirmed_at"]
    refused(anybody(stack, "POST", "/verify", {"type": "email", "email": ANN, "token": code(stack, ANN, "verify_email")}),
            403, "otp_expired")


def test_an_address_that_somebody_has_is_not_told(stack):
    ann = person(stack, data={"full_name": "Owner One"})
    before = len(mails(stack, ANN))
    shown = sign_up(stack, "Ann@Example.com", OTHER, data={"full_name": "Somebody"})
    same_shape(shown, recorded("signup.existing-user"))
    assert shown["id"] != ann.id and shown["identities"] == [] and shown["user_metadata"] == {"full_name": "Somebody"}
    assert shown["email"] == ANN and len(mails(stack, ANN)) == before
    refused(sign_in(stack, password=OTHER), 400, "invalid_credentials")
    assert ann.fine("GET", "/user")["user_metadata"] == {"full_name": "Owner One"}


def test_one_address_signed_up_twice_at_once_is_one_account(stack):
    with ThreadPoolExecutor(4) as pool:
        users = list(pool.map(lambda _: sign_up(stack), range(3)))
    assert len({u["id"] for u in users}) == 1
    assert stack.value("select count(*) from auth.users") == 1


def test_what_was_wrong_with_a_sign_up(stack):
    body = refused(anybody(stack, "POST", "/signup", {"email": ANN, "password": "short"}), 422, "weak_password",
                   "weak_password")
    assert body["weak_password"] == {"reasons": ["length"]}
    for body in ({}, {"email": ANN}, {"email": ANN, "password": ""}, {"email": "ann", "password": PASSWORD},
                 {"email": 1, "password": PASSWORD}, {"password": PASSWORD},
                 {"email": ANN, "password": PASSWORD, "data": []},
                 {"email": ANN, "password": PASSWORD, "data": {"x": "y" * 5000}},
                 {"email": ANN, "password": PASSWORD, "code_challenge": "x", "code_challenge_method": "md5"}):
        refused(anybody(stack, "POST", "/signup", body), 400, "validation_failed")
    refused(anybody(stack, "POST", "/signup", {"phone": "+15550100001", "password": PASSWORD}), 400,
            "phone_provider_disabled")
    for body in (b"{", b"[]", b"\xff", b"null"):
        refused(anybody(stack, "POST", "/signup", body), 400, "bad_json")
    assert stack.value("select count(*) from auth.users") == 0


def test_fields_that_nobody_knows_are_passed_over(stack):
    user = sign_up(stack, channel="sms", gotrue_meta_security={"captcha_token": None}, x={"y": [1]}, role="service_role",
                   app_metadata={"organization_id": str(uuid.uuid4())})
    assert user["role"] == "authenticated" and user["app_metadata"] == {"provider": "email", "providers": ["email"]}
    Caller(stack).fine("POST", "/recover?x=1&redirect_to=%22", {"email": ANN, "y": 1})


def test_an_address_gets_only_so_many_mails(stack):
    path = [anybody(stack, "POST", "/recover", {"email": ANN}) for _ in range(5)]
    assert [a.status_code for a in path] == [200, 200, 200, 429, 429]
    refused(path[-1], 429, "over_email_send_rate_limit", "over_email_send_rate_limit")
    assert stack.value("select count(*) from workflow_runs where workflow = 'mail'") == 0


# ---- sessions ------------------------------------------------------------------

def test_a_wrong_password_and_an_unknown_address_look_alike(stack):
    person(stack)
    wrong, unknown = sign_in(stack, password=OTHER), sign_in(stack, "bob@example.com")
    refused(wrong, 400, "invalid_credentials", "invalid_credentials")
    assert wrong.json() == unknown.json() == recorded("error.400.invalid_credentials")
    dated = anybody(stack, "POST", "/token?grant_type=password", {"email": ANN, "password": OTHER}, headers=DATED)
    refused(dated, 400, "invalid_credentials")
    assert dated.json() == recorded("error.400.invalid_credentials.2024-01-01")


def test_guessing_is_slowed_down(stack):
    person(stack)
    stack.sql("update hookswitch_auth.sessions set address = '192.0.2.1'")
    answers = [sign_in(stack, password=OTHER) for _ in range(7)]
    refused(answers[0], 400, "invalid_credentials")
    refused(answers[-1], 429, "over_request_rate_limit")
    assert int(answers[-1].headers["Retry-After"]) >= 1
    refused(sign_in(stack), 429, "over_request_rate_limit")


@pytest.mark.parametrize("path,body", [
    ("", {}), ("?grant_type=id_token", {"id_token": "x"}), ("?grant_type=password", {"email": ANN}),
    ("?grant_type=password", {"password": PASSWORD}), ("?grant_type=refresh_token", {}),
    ("?grant_type=refresh_token", {"refresh_token": ""}), ("?grant_type=pkce", {"auth_code": "x"}),
    ("?grant_type=pkce", {"code_verifier": "x"})])
def test_a_grant_without_what_it_needs_is_refused(stack, path, body):
    refused(anybody(stack, "POST", "/token" + path, body), 400, "validation_failed")


def test_refresh_tokens_rotate_and_an_old_one_ends_the_session(stack):
    ann = person(stack)
    first = ann.session["refresh_token"]
    answer = ann.refresh()
    assert answer.status_code == 200
    same_shape(answer.json(), recorded("session"))
    second = answer.json()["refresh_token"]
    assert second != first and answer.json()["user"] == ann.fine("GET", "/user")
    # A second tab that was nearly as quick.
    assert ann.refresh(first).json()["refresh_token"] == second
    stack.sql("update hookswitch_auth.refresh_tokens set used_at = used_at - interval '1 hour' where used_at is not null")
    refused(ann.refresh(first), 400, "refresh_token_already_used")
    refused(ann.refresh(second), 400, "refresh_token_not_found", "refresh_token_not_found")
    refused(ann.v1("GET", "/user"), 403, "session_not_found")
    refused(ann.refresh("nonsense"), 400, "refresh_token_not_found")


def test_many_refreshes_at_once_give_one_token(stack):
    ann = person(stack)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: ann.refresh(), range(6)))
    assert {a.status_code for a in answers} == {200}
    assert len({a.json()["refresh_token"] for a in answers}) == 1


def test_a_session_of_one_form_goes_on_in_the_other(stack):
    ann = person(stack)
    other = Person(stack, ANN).refresh(token=ann.session["refresh_token"])
    assert other["user"]["email"] == ANN
    assert ann.refresh(other["refresh_token"]).status_code == 200


def test_signing_out(stack):
    people = [person(stack), signed_in(stack), signed_in(stack), signed_in(stack)]
    def alive():
        return [p.v1("GET", "/user").status_code == 200 for p in people]
    answer = people[0].v1("POST", "/logout?scope=local")
    assert (answer.status_code, answer.content) == (204, b"") and alive() == [False, True, True, True]
    refused(people[0].v1("POST", "/logout"), 403, "session_not_found")
    assert people[1].v1("POST", "/logout?scope=others").status_code == 204 and alive() == [False, True, False, False]
    people[2] = signed_in(stack)
    assert people[1].v1("POST", "/logout", b"").status_code == 204 and alive() == [False] * 4
    refused(people[2].refresh(), 400, "refresh_token_not_found")
    problem(people[1].ask("GET", "/api/v1/calls"), 401, "session_revoked")
    refused(signed_in(stack).v1("POST", "/logout?scope=all"), 400, "validation_failed")


# ---- one's own account ---------------------------------------------------------

def test_somebody_changes_his_data(stack):
    ann = person(stack, data={"full_name": "Owner One", "old": 1})
    user = ann.fine("PUT", "/user", {"data": {"full_name": "Owner Two", "old": None, "deep": {"a": None}}})
    same_shape(user, recorded("user"))
    assert user["user_metadata"] == {"full_name": "Owner Two", "deep": {"a": None}}
    assert claims_of(ann.refresh().json()["access_token"])["user_metadata"] == user["user_metadata"]
    refused(ann.v1("PUT", "/user", {"data": {"x": "y" * 4096}}), 400, "validation_failed")
    assert ann.fine("GET", "/user")["user_metadata"] == user["user_metadata"]


def test_all_that_metadata_may_hold_fits_into_a_token(stack):
    ann = person(stack, data={"x": "y/ü" * 970})
    assert ann.get("/api/v1/calls")["data"] == []
    refused(ann.v1("PUT", "/user", {"data": {"z": "y" * 200}}), 400, "validation_failed")


def test_somebody_changes_his_password(stack):
    ann, tab = person(stack), signed_in(stack)
    refused(ann.v1("PUT", "/user", {"password": PASSWORD}), 422, "same_password")
    refused(ann.v1("PUT", "/user", {"password": "short"}), 422, "weak_password")
    ann.fine("PUT", "/user", {"password": OTHER})
    assert ann.v1("GET", "/user").status_code == 200
    refused(tab.v1("GET", "/user"), 403, "session_not_found")
    refused(sign_in(stack), 400, "invalid_credentials")
    signed_in(stack, password=OTHER)
    assert mails(stack, ANN, "password_changed")
    stack.sql("update hookswitch_auth.sessions set created_at = created_at - interval '25 hours'")
    refused(ann.v1("PUT", "/user", {"password": "a third good one"}), 400, "reauthentication_needed")


def test_somebody_changes_his_address(stack):
    ann, bob = person(stack), person(stack, "bob@example.com")
    user = ann.fine("PUT", "/user", {"email": "Ann@New.example"})
    assert (user["email"], user["new_email"]) == (ANN, "ann@new.example") and user["email_change_sent_at"]
    session = Caller(stack).fine("POST", "/verify", {
        "type": "email_change", "email": "ann@new.example", "token": code(stack, "ann@new.example", "email_change")})
    assert session["user"]["email"] == "ann@new.example" and "new_email" not in session["user"]
    # Somebody else's address gets no mail, and that is not told.
    assert bob.fine("PUT", "/user", {"email": "ann@new.example"})["new_email"] == "ann@new.example"
    assert len(mails(stack, "ann@new.example", "email_change")) == 1
    refused(bob.v1("PUT", "/user", {"phone": "+15550100001"}), 400, "phone_provider_disabled")


def test_whoever_shows_no_good_token_is_told_why(stack):
    ann, jwt = person(stack), stack.secrets["jwt"]
    refused(anybody(stack, "GET", "/user"), 401, "no_authorization", "no_authorization")
    good = claims_of(ann.session["access_token"])
    bad = ["x", "a.b.c", ann.session["access_token"][:-4] + "AAAA", sign_token("another", good),
           sign_token(jwt, {**good, "exp": int(time.time()) - 1}), sign_token(jwt, {**good, "role": "anon"}),
           sign_token(jwt, good, {"alg": "none"}), sign_token(jwt, {"role": "service_role", "exp": 9999999999})]
    for token in bad:
        answer = Caller(stack, headers={"Authorization": f"Bearer {token}"}).v1("GET", "/user")
        refused(answer, 403, "bad_jwt", "bad_jwt")
    stranger = sign_token(jwt, user_claims("alice"))
    refused(Caller(stack, headers={"Authorization": f"Bearer {stranger}"}).v1("GET", "/user"), 404, "user_not_found")
    stolen = sign_token(jwt, {**good, "sub": person(stack, "bob@example.com").id})
    refused(Caller(stack, headers={"Authorization": f"Bearer {stolen}"}).v1("GET", "/user"), 403, "session_not_found")


def test_an_account_that_was_made_inactive_gets_nothing(stack):
    ann = person(stack)
    stack.sql("update user_profiles set status = 'inactive'")
    for answer in (ann.v1("GET", "/user"), sign_in(stack), ann.refresh()):
        refused(answer, 403, "user_banned")


# ---- settings ------------------------------------------------------------------

def test_what_is_told_to_everybody(stack):
    settings = Caller(stack).fine("GET", "/settings")
    assert settings["external"]["email"] is True and settings["mailer_autoconfirm"] is False
    assert settings["disable_signup"] is False and settings["saml_enabled"] is False
    assert set(Caller(stack).fine("GET", "/health")) == {"version", "name", "description"}
    assert Caller(stack).fine("GET", "/.well-known/jwks.json") == {"keys": []}
    refused(anybody(stack, "GET", "/nothing"), 404, "not_found")
    refused(anybody(stack, "DELETE", "/user"), 405, "method_not_allowed")


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A stack where addresses need not be confirmed."""
    with Stack(tmp_path_factory.mktemp("quick"), settings={"HOOKSWITCH_SIGNUP_CONFIRM": "off"}) as running:
        yield running


def test_without_confirmation_a_sign_up_is_a_session(quick):
    quick.reset()
    session = sign_up(quick, data={"full_name": "Owner One"})
    same_shape({**session, "user": {**session["user"], "confirmation_sent_at": session["user"]["created_at"]}},
               recorded("session"))
    assert Caller(quick, session).get("/api/v1/calls")["data"] == []
    refused(anybody(quick, "POST", "/signup", {"email": "ANN@example.com", "password": OTHER}), 422,
            "user_already_exists", "user_already_exists")
    refused(sign_in(quick, password=OTHER), 400, "invalid_credentials")
    assert signed_in(quick).id == session["user"]["id"] and mails(quick, ANN) == []
    assert Caller(quick).fine("GET", "/settings")["mailer_autoconfirm"] is True


def test_where_nobody_may_sign_up(quick):
    quick.reset()
    quick.settings_write(HOOKSWITCH_SIGNUP="off")
    quick.start_program("auth-v1")
    refused(anybody(quick, "POST", "/signup", {"email": ANN, "password": PASSWORD}), 422, "signup_disabled")
    assert Caller(quick).fine("POST", "/otp", {"email": ANN}) == {}
    assert quick.value("select count(*) from auth.users") == 0
    assert Caller(quick).fine("GET", "/settings")["disable_signup"] is True


def test_where_people_belong_to_a_supabase_project_all_is_elsewhere(stack):
    ann = person(stack)
    owner = stack.value("select nspowner::regrole::text from pg_namespace where nspname = 'auth'")
    token = token_of(stack, "signup", str(uuid.uuid4()))
    stack.sql("alter schema auth owner to postgres")
    try:
        for method, path, body in [
                ("POST", "/signup", {"email": ANN, "password": PASSWORD}), ("POST", "/signup", {"email": ANN, "password": "x"}),
                ("POST", "/token?grant_type=password", {"email": ANN, "password": PASSWORD}),
                ("POST", "/token?grant_type=refresh_token", {"refresh_token": ann.session["refresh_token"]}),
                ("POST", "/token?grant_type=pkce", {"auth_code": "x", "code_verifier": "x"}),
                ("POST", "/recover", {"email": ANN}), ("POST", "/resend", {"type": "signup", "email": ANN}),
                ("POST", "/otp", {"email": ANN}), ("POST", "/magiclink", {"email": ANN}),
                ("POST", "/verify", {"type": "signup", "token_hash": "x"}),
                ("POST", "/verify", {"type": "signup", "token": "123456", "email": ANN}),
                ("GET", "/verify?type=signup&token=x", None), ("GET", f"/verify?type=signup&token={token}", None),
                ("GET", "/user", None), ("PUT", "/user", {"data": {}}), ("POST", "/logout", {}),
                ("POST", "/factors", {"factor_type": "totp"}), ("GET", "/settings", None), ("GET", "/health", None),
                ("GET", "/.well-known/jwks.json", None), ("GET", "/admin/users", None)]:
            for who in (ann, Caller(stack)):
                refused(who.v1(method, path, body), 404, "auth_external")
    finally:
        stack.sql(f"alter schema auth owner to {owner}")
