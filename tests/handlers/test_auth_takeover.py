"""What a thief tries with accounts of ours: to stay in, to come first, to learn who is there, to be given what is another's."""

import threading

import pytest

import accounts_v1
from accounts import AUTH, PASSWORD, Person, link, mails, person, sign_up, token_of
from accounts_v1 import Caller
from stack import wait_until
from stack_client import problem

ANN, BOB = "ann@example.com", "bob@example.com"
NEW = "the new password"


@pytest.fixture
def ann(stack):
    """Somebody with an account of ours, signed in."""
    return person(stack)


def anybody(stack, path, body, expect=200):
    """A request without any session."""
    return stack.anybody().post(f"{AUTH}/{path}", body, expect=expect)


def change_password(stack, ann):
    """By who is signed in."""
    ann.post(f"{AUTH}/change-password", {"password": PASSWORD, "new_password": NEW})


def reset_password(stack, ann):
    """By who gets the mails."""
    anybody(stack, "forgot-password", {"email": ann.email}, 202)
    anybody(stack, "reset-password", {"token": link(stack, ann.email, "reset_password"), "password": NEW})


# ---- to stay in ------------------------------------------------------------------

@pytest.mark.parametrize("defend", [change_password, reset_password])
def test_a_thiefs_wish_for_another_address_dies_with_the_password(stack, ann, defend):
    ann.post(f"{AUTH}/change-email", {"email": "thief@example.com", "password": PASSWORD}, expect=202)
    token = link(stack, "thief@example.com", "email_change")
    defend(stack, ann)
    assert anybody(stack, "verify-email", {"token": token}, 422)["code"] == "code_invalid"
    assert Person(stack, ANN).sign_in(NEW).get(f"{AUTH}/me")["email"] == ANN
    assert stack.value("select email_change from auth.users") is None


@pytest.mark.parametrize("kind", ["recovery", "magiclink", "invite"])
def test_no_link_to_the_old_address_opens_the_account_any_more(stack, ann, kind):
    ann.post(f"{AUTH}/change-email", {"email": "new@example.com", "password": PASSWORD}, expect=202)
    old = str(stack.value("select public.auth_token_make(%s, %s, 3600)", kind, ann.id))
    anybody(stack, "verify-email", {"token": link(stack, "new@example.com", "email_change")})
    accounts_v1.refused(Caller(stack).v1("POST", "/verify", {"type": kind, "token_hash": token_of(stack, kind, old)}),
                        403, "otp_expired")


@pytest.mark.parametrize("path", [f"{AUTH}/signin", "/auth/v1/token?grant_type=password"])
def test_a_sign_in_that_waits_for_a_reset_comes_too_late(stack, ann, path):
    """The old password was checked; while its session is to be opened the new one is set, which ends all sessions."""
    anybody(stack, "forgot-password", {"email": ANN}, 202)
    got = []
    with stack.connect() as held:
        token = mails(stack, ANN, "reset_password")[-1]["data"]["token_id"]
        held.execute("select public.auth_reset(%s, 'sealed')", (token,))
        thread = threading.Thread(target=lambda: got.append(
            stack.anybody().ask("POST", path, {"email": ANN, "password": PASSWORD})))
        thread.start()
        wait_until(lambda: got or stack.value("select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
                                              " and datname = current_database()"), what="the sign-in waits")
        held.commit()
    thread.join()
    assert got[0].status_code in (400, 401), got[0].text
    assert stack.value("select count(*) from hookswitch_auth.sessions where revoked_at is null") == 0


# ---- to come first ------------------------------------------------------------------

def test_a_link_to_sign_in_with_brings_no_password_that_a_stranger_chose(stack):
    sign_up(stack, ANN, "the stranger's password")
    Caller(stack).fine("POST", "/otp", {"email": ANN})
    Caller(stack).fine("POST", "/verify", {"type": "magiclink", "token_hash": link(stack, ANN, "verify_email")})
    assert anybody(stack, "signin", {"email": ANN, "password": "the stranger's password"}, 401)


# ---- to learn who is there ------------------------------------------------------------

@pytest.mark.parametrize("path,body", [
    ("/signup", {"password": PASSWORD}), ("/otp", {}), ("/otp", {"create_user": False}), ("/magiclink", {}), ("/recover", {}),
    ("/resend", {"type": "signup"})])
@pytest.mark.parametrize("then", ["/signup", "/otp", "/resend", "/recover"])
def test_how_many_mails_were_sent_tells_nothing(stack, path, body, then):
    person(stack)
    stack.sql("delete from hookswitch_auth.throttles")
    seen = []
    for email in (ANN, BOB):
        answers = [Caller(stack).v1("POST", path, {"email": email, **body}) for _ in range(4)]
        answers.append(Caller(stack).v1("POST", then, {"email": email, "password": PASSWORD, "type": "signup"}))
        seen.append([a.status_code for a in answers])
    assert seen[0] == seen[1] and 429 in seen[0]


# ---- to be given what is another's --------------------------------------------------------

def colleagues(stack):
    """Two people whose organization is the same."""
    ann, bob = person(stack), person(stack, BOB)
    home = stack.value("select id from organizations where personal_of = %s", ann.id)
    stack.sql("update organization_members set is_default = false where user_id = %s", bob.id)
    stack.sql("insert into organization_members (organization_id, user_id, role, is_default) values (%s, %s, 'member', true)",
              home, bob.id)
    return ann, bob


def test_a_colleague_under_the_same_key_is_another_person(stack):
    ann, bob = colleagues(stack)
    key = {"Idempotency-Key": "once"}
    first = ann.ask("POST", f"{AUTH}/totp", {"password": PASSWORD}, headers=key)
    again = ann.ask("POST", f"{AUTH}/totp", {"password": PASSWORD}, headers=key)
    assert first.status_code == 201 and again.json() == first.json()
    other = bob.ask("POST", f"{AUTH}/totp", {"password": PASSWORD}, headers=key)
    assert other.status_code == 201 and other.json()["secret"] != first.json()["secret"]


def test_a_key_needs_no_organization(stack, ann):
    stack.sql("update organizations set status = 'disabled' where personal_of = %s", ann.id)
    assert ann.get(f"{AUTH}/me")["organization_id"] is None
    answer = ann.ask("POST", f"{AUTH}/signout", {}, headers={"Idempotency-Key": "once"})
    assert answer.status_code == 204


def test_a_refusal_by_the_database_under_a_key_is_told_as_without(stack, ann):
    stack.sql("delete from hookswitch_auth.credentials")
    stack.sql("update hookswitch_auth.sessions set created_at = now() - interval '1 hour'")
    for headers in ({}, {"Idempotency-Key": "once"}):
        answer = ann.ask("POST", f"{AUTH}/totp", {}, headers=headers)
        assert problem(answer, 403)["code"] == "signin_needed"


# ---- to break things for others -------------------------------------------------------------

def test_a_number_that_nobody_reads_again_is_refused(stack, ann):
    """It would be stored, and then nobody could sign in to the account, or list all of them."""
    for number in (b"1e300", b"-1e19"):
        answer = Caller(stack).v1("POST", "/otp", b'{"email":"bob@example.com","data":{"x":%s}}' % number)
        accounts_v1.refused(answer, 400, "validation_failed")
        assert problem(ann.ask("PATCH", f"{AUTH}/me", b'{"preferences":{"x":%s}}' % number), 400)["errors"][0]["code"] == "number"
    assert ann.ask("PATCH", f"{AUTH}/me", {"preferences": {"x": 9e18}}).status_code == 200
    assert ann.sign_in_again().get(f"{AUTH}/me")["preferences"] == {"x": 9e18}


@pytest.mark.parametrize("path,body", [
    (f"{AUTH}/signup", {"password": PASSWORD}), (f"{AUTH}/resend-verification", {}), (f"{AUTH}/forgot-password", {}),
    ("/auth/v1/signup", {"password": PASSWORD}), ("/auth/v1/otp", {}), ("/auth/v1/recover", {}),
    ("/auth/v1/resend", {"type": "signup"}), ("/auth/v1/resend", {"type": "email_change"})])
def test_nobody_has_the_whole_world_mailed(stack, ann, path, body):
    stack.sql("select public.auth_mails_count('127.0.0.1', 100) from generate_series(1, 98)")
    fine = stack.anybody().ask("POST", path, {"email": "new@example.com", **body})
    assert fine.status_code in (200, 202), fine.text
    stack.sql("update hookswitch_auth.throttles set blocked_until = now() + interval '1 hour' where tries >= 100")
    for email in (ANN, "other@example.com"):
        assert stack.anybody().ask("POST", path, {"email": email, **body}).status_code == 429
    assert mails(stack, "other@example.com") == []


def test_a_person_has_few_new_addresses_mailed(stack, ann):
    def ask(i):
        return ann.ask("POST", f"{AUTH}/change-email", {"email": f"new{i}@example.com", "password": PASSWORD}).status_code
    assert [ask(i) for i in range(10)] == [202] * 10
    stack.sql("update hookswitch_auth.throttles set blocked_until = now() + interval '1 hour' where blocked_until is not null")
    assert ask(10) == 429 and mails(stack, "new10@example.com") == []
    assert Caller(stack, ann.session).v1("PUT", "/user", {"email": "new11@example.com"}).status_code == 429
