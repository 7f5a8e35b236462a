"""The second factor as clients of Supabase Auth use it, and what a session of one factor is worth."""

import uuid

import pytest

from accounts import AUTH, PASSWORD, app_code
from accounts_v1 import ANN, Caller, claims_of, person, recorded, refused, same_shape, signed_in
from stack_client import problem


def enrol(who, **more):
    """A factor that was begun: id and secret."""
    made = who.fine("POST", "/factors", {"factor_type": "totp", "friendly_name": "Phone", **more})
    assert set(made) == {"id", "type", "friendly_name", "totp"} and set(made["totp"]) == {"qr_code", "secret", "uri"}
    assert made["totp"]["uri"].startswith("otpauth://totp/") and made["type"] == "totp"
    return made["id"], made["totp"]["secret"]


def prove(who, factor, digits, challenge=None):
    """A challenge and a code for it; answers the response."""
    if not challenge:
        asked = who.fine("POST", f"/factors/{factor}/challenge", {})
        assert set(asked) == {"id", "type", "expires_at"} and isinstance(asked["expires_at"], int)
        challenge = asked["id"]
    return who.v1("POST", f"/factors/{factor}/verify", {"challenge_id": challenge, "code": digits})


def forget_step(stack):
    """The app's code may be used once more."""
    stack.sql("update hookswitch_auth.factors set last_step = 0")


@pytest.fixture
def ann(stack):
    """Somebody with a second factor that counts: .factor, .secret."""
    who = person(stack)
    factor, secret = enrol(who)
    answer = prove(who, factor, app_code(secret))
    assert answer.status_code == 200, answer.text
    other = Caller(stack, answer.json())
    other.factor, other.secret = factor, secret
    forget_step(stack)
    return other


def test_a_factor_counts_after_its_first_code(stack):
    who, tab = person(stack), signed_in(stack)
    factor, secret = enrol(who)
    shown, = who.fine("GET", "/user")["factors"]
    assert set(shown) == {"id", "friendly_name", "factor_type", "status", "created_at", "updated_at"}
    assert (shown["id"], shown["status"], shown["friendly_name"]) == (factor, "unverified", "Phone")
    refused(prove(who, factor, "000000" if app_code(secret) != "000000" else "111111"), 422, "mfa_verification_failed")
    answer = prove(who, factor, app_code(secret))
    assert answer.status_code == 200
    same_shape(answer.json(), recorded("session"), may=("factors",))
    claims = claims_of(answer.json()["access_token"])
    assert claims["aal"] == "aal2" and [a["method"] for a in claims["amr"]] == ["otp", "totp"]
    assert claims["session_id"] == claims_of(who.session["access_token"])["session_id"]
    assert who.fine("GET", "/user")["factors"][0]["status"] == "verified"
    assert Caller(stack, answer.json()).refresh().status_code == 200
    refused(tab.v1("GET", "/user"), 403, "session_not_found")


def test_a_session_of_one_factor_opens_nothing_but_the_way_to_the_second(stack, ann):
    half = signed_in(stack)
    assert claims_of(half.session["access_token"])["aal"] == "aal1" and half.fine("GET", "/user")["email"] == ANN
    for path in ("/api/v1/calls", f"{AUTH}/me", f"{AUTH}/sessions"):
        problem(half.ask("GET", path), 403, "totp_needed")
    problem(half.ask("POST", f"{AUTH}/totp/disable", {"password": PASSWORD}), 403, "totp_needed")
    for body in ({"password": "another correct horse"}, {"email": "ann@new.example"}):
        refused(half.v1("PUT", "/user", body), 401, "insufficient_aal")
    refused(half.v1("DELETE", f"/factors/{ann.factor}"), 401, "insufficient_aal")
    half = Caller(stack, half.refresh().json())
    problem(half.ask("GET", "/api/v1/calls"), 403, "totp_needed")
    whole = Caller(stack, prove(half, ann.factor, app_code(ann.secret)).json())
    assert whole.get("/api/v1/calls")["data"] == [] and claims_of(whole.session["access_token"])["aal"] == "aal2"
    assert half.get("/api/v1/calls")["data"] == []
    whole.fine("PUT", "/user", {"password": "another correct horse"})


def test_a_code_and_a_challenge_are_good_once(stack, ann):
    digits = app_code(ann.secret)
    half, other = signed_in(stack), signed_in(stack)
    challenge = half.fine("POST", f"/factors/{ann.factor}/challenge", {})["id"]
    assert prove(half, ann.factor, digits, challenge).status_code == 200
    refused(prove(half, ann.factor, digits, challenge), 422, "mfa_challenge_expired")
    refused(prove(other, ann.factor, digits), 422, "mfa_verification_failed")
    assert claims_of(other.refresh().json()["access_token"])["aal"] == "aal1"


def test_guessing_a_code_is_limited(stack, ann):
    half = signed_in(stack)
    challenge = half.fine("POST", f"/factors/{ann.factor}/challenge", {})["id"]
    wrong = "000000" if app_code(ann.secret) not in ("000000", "111111") else "222222"
    for _ in range(5):
        refused(prove(half, ann.factor, wrong, challenge), 422, "mfa_verification_failed")
    refused(prove(half, ann.factor, app_code(ann.secret), challenge), 422, "mfa_challenge_expired")
    answers = [prove(half, ann.factor, wrong) for _ in range(7)]
    refused(answers[-1], 429, "over_request_rate_limit")


def test_a_factor_is_one_persons(stack, ann):
    bob = person(stack, "bob@example.com")
    mine = ann.fine("POST", f"/factors/{ann.factor}/challenge", {})["id"]
    for factor in (ann.factor, str(uuid.uuid4())):
        refused(bob.v1("POST", f"/factors/{factor}/challenge", {}), 404, "mfa_factor_not_found")
        refused(prove(bob, factor, app_code(ann.secret), mine), 404, "mfa_factor_not_found")
        refused(bob.v1("DELETE", f"/factors/{factor}"), 404, "mfa_factor_not_found")
    own, secret = enrol(bob)
    refused(prove(bob, own, app_code(secret), mine), 422, "mfa_challenge_expired")
    refused(bob.v1("POST", "/factors/x/challenge", {}), 400, "validation_failed")
    refused(bob.v1("POST", "/factors", {"factor_type": "phone"}), 400, "validation_failed")
    refused(Caller(stack).v1("POST", "/factors", {"factor_type": "totp"}), 401, "no_authorization")


def test_a_factor_is_given_up(stack, ann):
    refused(ann.v1("POST", "/factors", {"factor_type": "totp"}), 422, "too_many_enrolled_mfa_factors")
    assert ann.fine("DELETE", f"/factors/{ann.factor}") == {"id": ann.factor}
    assert "factors" not in ann.fine("GET", "/user")
    half = signed_in(stack)
    assert half.get("/api/v1/calls")["data"] == []
    begun, _ = enrol(half)
    assert half.fine("DELETE", f"/factors/{begun}") == {"id": begun}
    refused(half.v1("DELETE", f"/factors/{begun}"), 404, "mfa_factor_not_found")


def test_a_challenge_of_one_program_is_none_of_the_other(stack, ann):
    """The program auth signs in with a challenge of its own, which proves a password: that of here proves none."""
    challenge = ann.fine("POST", f"/factors/{ann.factor}/challenge", {})["id"]
    problem(stack.anybody().ask("POST", f"{AUTH}/signin/totp", {
        "challenge": challenge, "code": app_code(ann.secret)}), 422, "code_invalid")
    there = stack.anybody().post(f"{AUTH}/signin", {"email": ANN, "password": PASSWORD})["challenge"]
    refused(prove(signed_in(stack), ann.factor, app_code(ann.secret), there.split(".", maxsplit=1)[0]), 422,
            "mfa_challenge_expired")
