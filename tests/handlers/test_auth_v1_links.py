"""Mails of accounts as clients of Supabase Auth follow them: links, codes, where one is sent, and PKCE."""

import pytest
import requests

from accounts import PASSWORD, code, link, mails
from accounts_v1 import (ANN, DATED, V1, Caller, challenge, person, recorded, refused, same_shape, sent_to, sign_in, sign_up,
                         signed_in)
from stack import BOTH_WAYS, Stack

APP = "https://app.example.com"
OTHER = "another correct horse"


@pytest.fixture(scope="module")
def stack_of_file(tmp_path_factory):
    """An installation with an application of its own."""
    with Stack(tmp_path_factory.mktemp("stack"), settings={"APP_URL": APP + "/start"}) as running:
        yield running


@pytest.fixture(scope="module")
def cgi_stack_of_file(tmp_path_factory):
    """The same as plain CGI."""
    with Stack(tmp_path_factory.mktemp("cgi"), cgi=True, settings={"APP_URL": APP + "/start"}) as running:
        yield running


def follow(stack, kind, token, **query):
    """GET /verify, as a browser does it; answers the response."""
    return Caller(stack).v1("GET", "/verify", params={"type": kind, "token": token, **query})


def confirmed(stack, email=ANN):
    """Whether the address is."""
    return stack.value("select email_confirmed_at is not null from auth.users where email = %s", email)


# ---- links ----------------------------------------------------------------------

@BOTH_WAYS
def test_a_link_leads_to_the_application_with_a_session(stack):
    sign_up(stack)
    token = link(stack, ANN, "verify_email")
    to, query, fragment = sent_to(follow(stack, "signup", token, redirect_to=APP + "/in?x=1"))
    assert to == APP + "/in" and query == {"x": "1"}
    assert set(fragment) == {"access_token", "expires_at", "expires_in", "refresh_token", "token_type", "type"}
    assert (fragment["token_type"], fragment["type"], fragment["expires_in"]) == ("bearer", "signup", "3600")
    who = Caller(stack, headers={"Authorization": f"Bearer {fragment['access_token']}"})
    assert who.fine("GET", "/user")["email"] == ANN and who.refresh(fragment["refresh_token"]).status_code == 200


def test_a_link_is_good_once_and_what_comes_then_is_told_to_the_application(stack):
    sign_up(stack)
    token = link(stack, ANN, "verify_email")
    assert "access_token" in sent_to(follow(stack, "signup", token))[2]
    for again in (token, "nonsense", "", token.replace(token[-4:], "0000")):
        to, query, fragment = sent_to(follow(stack, "signup", again, redirect_to=APP + "/in"))
        assert (to, query) == (APP + "/in", {})
        assert fragment == {"error": "access_denied", "error_code": "otp_expired",
                            "error_description": "Email link is invalid or has expired"}
    assert sent_to(follow(stack, "recovery", token))[2]["error_code"] == "otp_expired"
    refused(Caller(stack).v1("GET", "/verify?token=x"), 400, "validation_failed")
    refused(Caller(stack).v1("GET", "/verify?type=sms&token=x"), 400, "validation_failed")


def test_a_program_that_only_looks_uses_nothing_up(stack):
    sign_up(stack)
    token = link(stack, ANN, "verify_email")
    answer = requests.head(f"{stack.url}{V1}/verify", params={"type": "signup", "token": token}, timeout=60,
                           allow_redirects=False)
    assert answer.status_code == 204 and not confirmed(stack)
    assert "access_token" in sent_to(follow(stack, "signup", token))[2]


@pytest.mark.parametrize("url", [
    "https://evil.example/", "//evil.example/", "https://app.example.com.evil.example/", "javascript:alert(1)",
    "https://app.example.com@evil.example/", "https://app.example.com:444/", "http://app.example.com/",
    "https://app.example.com\\@evil.example/", "https://app.example.com/\r\nSet-Cookie: a=b", "/x", ""])
def test_nobody_is_sent_to_a_strange_address(stack, url):
    person(stack)
    Caller(stack).fine("POST", "/otp", {"email": ANN}, params={"redirect_to": url})
    assert not mails(stack, ANN, "magic_link")[-1]["data"].get("redirect_to")
    answer = follow(stack, "magiclink", link(stack, ANN, "magic_link"), redirect_to=url)
    assert sent_to(answer)[0] == APP + "/start" and "Set-Cookie" not in answer.headers
    answer = follow(stack, "magiclink", "nonsense", redirect_to=url)
    assert sent_to(answer)[0] == APP + "/start" and "Set-Cookie" not in answer.headers


def test_the_address_that_was_asked_for_goes_along_with_the_mail(stack):
    Caller(stack).fine("POST", "/signup", {"email": ANN, "password": PASSWORD}, params={"redirect_to": APP + "/welcome"})
    assert mails(stack, ANN, "verify_email")[-1]["data"]["redirect_to"] == APP + "/welcome"
    assert sent_to(follow(stack, "signup", link(stack, ANN, "verify_email")))[0] == APP + "/welcome"


def test_a_page_of_the_application_may_ask_and_read_the_answer(stack):
    answer = Caller(stack).v1("OPTIONS", "/token", headers={
        "Origin": APP, "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "apikey,authorization,content-type,x-client-info,x-supabase-api-version"})
    assert answer.status_code == 204 and answer.headers["Access-Control-Allow-Origin"] == APP
    assert {"apikey", "x-client-info", "x-supabase-api-version"} <= set(answer.headers["Access-Control-Allow-Headers"].lower().split(", "))
    answer = Caller(stack).v1("POST", "/token?grant_type=password", {"email": ANN, "password": OTHER},
                              headers={"Origin": APP, **DATED})
    refused(answer, 400, "invalid_credentials")
    shown = set(answer.headers["Access-Control-Expose-Headers"].lower().split(", "))
    assert {"x-supabase-api-version", "x-sb-error-code", "x-total-count", "link"} <= shown


# ---- a forgotten password ---------------------------------------------------------

def test_a_forgotten_password_is_set_anew(stack):
    old = person(stack)
    assert Caller(stack).fine("POST", "/recover", {"email": ANN}) == {}
    token = link(stack, ANN, "reset_password")
    session = Caller(stack).fine("POST", "/verify", {"type": "recovery", "token_hash": token})
    same_shape(session, recorded("session"), may=("recovery_sent_at",))
    assert session["user"]["recovery_sent_at"]
    refused(Caller(stack).v1("POST", "/verify", {"type": "recovery", "token_hash": token}), 403, "otp_expired")
    Caller(stack, session).fine("PUT", "/user", {"password": OTHER})
    refused(sign_in(stack), 400, "invalid_credentials")
    signed_in(stack, password=OTHER)
    refused(old.v1("GET", "/user"), 403, "session_not_found")


def test_unknown_addresses_are_answered_alike(stack):
    person(stack)
    stack.sql("delete from hookswitch_auth.throttles")
    for path, body in [("/recover", {}), ("/otp", {"create_user": False}), ("/magiclink", {"create_user": False}),
                       ("/resend", {"type": "signup"}), ("/resend", {"type": "email_change"})]:
        for email in (ANN, "nobody@example.com"):
            assert Caller(stack).fine("POST", path, {"email": email, **body}) == {}
    assert mails(stack, "nobody@example.com") == [] and stack.value("select count(*) from auth.users") == 1


def test_five_wrong_digits_are_enough(stack):
    sign_up(stack)
    right = code(stack, ANN, "verify_email")
    wrong = "000000" if right != "000000" else "111111"
    for _ in range(5):
        refused(Caller(stack).v1("POST", "/verify", {"type": "signup", "email": ANN, "token": wrong}), 403, "otp_expired")
        stack.sql("delete from hookswitch_auth.throttles")
    refused(Caller(stack).v1("POST", "/verify", {"type": "signup", "email": ANN, "token": right}), 403, "otp_expired")
    assert not confirmed(stack)


# ---- signing in by mail -----------------------------------------------------------

def test_somebody_signs_in_by_mail(stack):
    ann = person(stack)
    Caller(stack).fine("POST", "/otp", {"email": ANN})
    session = Caller(stack).fine("POST", "/verify", {
        "type": "email", "email": ANN, "token": code(stack, ANN, "magic_link")})
    assert session["user"]["id"] == ann.id
    Caller(stack).fine("POST", "/magiclink", {"email": ANN})
    assert "access_token" in sent_to(follow(stack, "magiclink", link(stack, ANN, "magic_link")))[2]


def test_signing_in_by_mail_makes_the_account(stack):
    assert Caller(stack).fine("POST", "/otp", {"email": ANN, "data": {"full_name": "Owner One"}}) == {}
    session = Caller(stack).fine("POST", "/verify", {
        "type": "email", "email": ANN, "token": code(stack, ANN, "verify_email")})
    assert session["user"]["user_metadata"] == {"full_name": "Owner One"}
    refused(sign_in(stack), 400, "invalid_credentials")
    Caller(stack, session).fine("PUT", "/user", {"password": OTHER})
    signed_in(stack, password=OTHER)


def test_a_mail_is_sent_once_more(stack):
    sign_up(stack)
    first = link(stack, ANN, "verify_email")
    assert Caller(stack).fine("POST", "/resend", {"type": "signup", "email": ANN}) == {}
    second = link(stack, ANN, "verify_email")
    assert second != first
    ann = Caller(stack, Caller(stack).fine("POST", "/verify", {"type": "signup", "token_hash": second}))
    signed_in(stack)
    ann.fine("PUT", "/user", {"email": "ann@new.example"})
    Caller(stack).fine("POST", "/resend", {"type": "email_change", "email": ANN})
    assert len(mails(stack, "ann@new.example", "email_change")) == 2
    for kind in ("sms", "phone_change"):
        refused(Caller(stack).v1("POST", "/resend", {"type": kind, "email": ANN}), 400, "phone_provider_disabled")
    refused(Caller(stack).v1("POST", "/resend", {"type": "recovery", "email": ANN}), 400, "validation_failed")


# ---- PKCE ---------------------------------------------------------------------------

def asked(stack, path, kind, method="s256", **body):
    """A mail that was asked for with a challenge: its verifier and the answer to following its link."""
    verifier, made = challenge()
    Caller(stack).fine("POST", path, {"email": ANN, "code_challenge": made if method != "plain" else verifier,
                                      "code_challenge_method": method, **body}, params={"redirect_to": APP + "/in?x=1"})
    mail = {"signup": "verify_email", "recovery": "reset_password", "magiclink": "magic_link"}[kind]
    return verifier, follow(stack, kind, link(stack, ANN, mail))


def exchange(stack, auth_code, verifier):
    """POST /token?grant_type=pkce; answers the response."""
    return Caller(stack).v1("POST", "/token?grant_type=pkce", {"auth_code": auth_code, "code_verifier": verifier})


@pytest.mark.parametrize("method", ["s256", "S256", "plain"])
def test_a_link_of_a_challenge_opens_a_code_for_who_asked(stack, method):
    verifier, answer = asked(stack, "/signup", "signup", method, password=PASSWORD)
    to, query, fragment = sent_to(answer)
    assert to == APP + "/in" and fragment == {} and set(query) == {"x", "code"}
    assert confirmed(stack) and stack.value("select count(*) from hookswitch_auth.sessions") == 0
    refused(exchange(stack, query["code"], challenge()[0]), 400, "bad_code_verifier")
    answer = exchange(stack, query["code"], verifier)
    assert answer.status_code == 200
    same_shape(answer.json(), recorded("session"))
    refused(exchange(stack, query["code"], verifier), 404, "flow_state_not_found")


def test_each_mail_can_be_asked_for_with_a_challenge(stack):
    person(stack)
    for path, kind in (("/recover", "recovery"), ("/otp", "magiclink")):
        verifier, answer = asked(stack, path, kind)
        assert exchange(stack, sent_to(answer)[1]["code"], verifier).json()["user"]["email"] == ANN


def test_a_code_that_is_old_or_strange_opens_nothing(stack):
    person(stack)
    verifier, answer = asked(stack, "/otp", "magiclink")
    given = sent_to(answer)[1]["code"]
    for bad in ("nonsense", given.split(".", maxsplit=1)[0], given[:-4] + "0000", link(stack, ANN, "magic_link")):
        refused(exchange(stack, bad, verifier), 404, "flow_state_not_found")
    stack.sql("update hookswitch_auth.one_time_tokens set expires_at = now() - interval '1 second' where kind = 'pkce'")
    refused(exchange(stack, given, verifier), 404, "flow_state_not_found")
