"""Accounts as a client sees them: sign up, confirm, sign in, a forgotten password, one's own profile."""

import pytest

from accounts import AUTH, PASSWORD, Person, code, link, mails, person, sign_up, token_of
from stack import BOTH_WAYS, wait_until
from stack_client import problem
from stack_process import at_once

ANN = "ann@example.com"


def anybody(stack, path, body, expect=200):
    """A request without any session."""
    return stack.anybody().post(f"{AUTH}/{path}", body, expect=expect)


# ---- sign-up -------------------------------------------------------------------

@BOTH_WAYS
def test_somebody_signs_up_confirms_and_is_somebody(stack):
    answer = sign_up(stack, "Ann@Example.com", first_name="Ann", last_name="Lee", phone_number="+15550100001")
    assert answer == {"email": ANN, "status": "confirmation_sent"}
    assert [m["kind"] for m in mails(stack, ANN)] == ["verify_email"]
    session = anybody(stack, "verify-email", {"token": link(stack, ANN, "verify_email")})
    ann = Person(stack, ANN, session)
    me = ann.get(f"{AUTH}/me")
    assert me == session["user"]
    assert (me["email"], me["first_name"], me["last_name"], me["phone_number"], me["status"]) == \
        (ANN, "Ann", "Lee", "+15550100001", "active")
    assert me["organization_id"] == str(stack.value("select id from organizations where personal_of = %s", ann.id))
    assert ann.get("/api/v1/calls")["data"] == []
    assert ann.sign_in_again().get(f"{AUTH}/me")["id"] == ann.id


def test_nothing_secret_is_stored(stack):
    ann = person(stack)
    everything = str(stack.sql("select r::text from hookswitch_auth.refresh_tokens r")) + \
        str(stack.sql("select c::text from hookswitch_auth.credentials c")) + \
        str(stack.sql("select t::text from hookswitch_auth.one_time_tokens t")) + str(mails(stack, ANN))
    assert ann.session["refresh_token"] not in everything and PASSWORD not in everything
    assert stack.value("select password_hash from hookswitch_auth.credentials").startswith("$2b$04$")
    logs = "".join(p.read_text() for p in stack.folder.glob("auth*.log"))
    assert ANN not in logs and PASSWORD not in logs and ann.session["access_token"] not in logs


def test_before_the_address_is_confirmed_the_right_password_is_told_so(stack):
    sign_up(stack, ANN)
    assert anybody(stack, "signin", {"email": ANN, "password": PASSWORD}, 403)["code"] == "email_not_confirmed"
    assert anybody(stack, "signin", {"email": ANN, "password": "wrong " + PASSWORD}, 401)["code"] == "credentials_invalid"
    assert stack.value("select status from user_profiles") == "inactive"


def test_a_link_confirms_once(stack):
    sign_up(stack, ANN)
    token = link(stack, ANN, "verify_email")
    answers = at_once(*[lambda: stack.anybody().ask("POST", f"{AUTH}/verify-email", {"token": token}) for _ in range(4)])
    assert sorted(a.status_code for a in answers) == [200, 422, 422, 422]
    assert problem([a for a in answers if a.status_code == 422][0], 422)["code"] == "code_invalid"


@pytest.mark.parametrize("bad", ["", "x", "0189abcd-ef01-4abc-8def-000000000001." + "0" * 64])
def test_a_link_that_we_did_not_make_confirms_nothing(stack, bad):
    sign_up(stack, ANN)
    assert anybody(stack, "verify-email", {"token": bad}, 422)["code"] == "code_invalid"
    recovery = token_of(stack, "recovery", mails(stack, ANN)[0]["data"]["token_id"])
    assert anybody(stack, "verify-email", {"token": recovery}, 422)["code"] == "code_invalid"


def test_a_link_runs_out(stack):
    sign_up(stack, ANN)
    stack.sql("update hookswitch_auth.one_time_tokens set expires_at = now() - interval '1 second'")
    assert anybody(stack, "verify-email", {"token": link(stack, ANN, "verify_email")}, 422)["code"] == "code_invalid"


def test_the_code_of_the_mail_confirms_too(stack):
    sign_up(stack, ANN)
    session = anybody(stack, "verify-email", {"email": ANN, "code": code(stack, ANN, "verify_email")})
    assert session["user"]["status"] == "active"
    assert anybody(stack, "verify-email", {"email": ANN, "code": code(stack, ANN, "verify_email")}, 422)["code"] == "code_invalid"


def test_a_code_cannot_be_guessed(stack):
    sign_up(stack, ANN)
    right = code(stack, ANN, "verify_email")
    wrong = f"{(int(right) + 1) % 1000000:06d}"
    for _ in range(5):
        assert anybody(stack, "verify-email", {"email": ANN, "code": wrong}, 422)["code"] == "code_invalid"
        stack.sql("delete from hookswitch_auth.throttles")
    assert anybody(stack, "verify-email", {"email": ANN, "code": right}, 422)["code"] == "code_invalid"
    assert anybody(stack, "verify-email", {"token": link(stack, ANN, "verify_email")})["user"]["status"] == "active"


def test_guessing_codes_is_slowed_down(stack):
    sign_up(stack, ANN)
    answers = [stack.anybody().ask("POST", f"{AUTH}/verify-email", {"email": e, "code": "000000"})
               for _ in range(7) for e in (ANN, "nobody@example.com")]
    for mine in (answers[::2], answers[1::2]):
        assert [a.status_code for a in mine] == [422] * 5 + [429] * 2
        assert problem(mine[-1], 429)["code"] == "too_many_tries"
        assert int(mine[-1].headers["Retry-After"]) >= 1


def test_two_sign_ups_of_one_address_at_once_make_one_account(stack):
    answers = at_once(*[lambda i=i: stack.anybody().ask("POST", f"{AUTH}/signup", {
        "email": ANN, "password": f"password number {i}", "first_name": f"Ann {i}"}) for i in range(2)])
    assert [a.status_code for a in answers] == [202, 202] and answers[0].json() == answers[1].json()
    assert stack.value("select count(*) from auth.users") == 1
    assert stack.value("select count(*) from organizations") == 1
    assert len(mails(stack, ANN, "verify_email")) == 2


def test_a_link_brings_the_password_of_its_own_sign_up(stack):
    sign_up(stack, ANN, "the guest's password", first_name="Guest")
    sign_up(stack, ANN, "the owner's password", first_name="Ann")
    assert anybody(stack, "verify-email", {"token": link(stack, ANN, "verify_email")})["user"]["first_name"] == "Ann"
    assert anybody(stack, "signin", {"email": ANN, "password": "the guest's password"}, 401)
    assert anybody(stack, "signin", {"email": ANN, "password": "the owner's password"})["user"]["email"] == ANN
    guest = token_of(stack, "signup", mails(stack, ANN, "verify_email")[0]["data"]["token_id"])
    assert anybody(stack, "verify-email", {"token": guest}, 422)["code"] == "code_invalid"


def test_resending_does_not_choose_between_two_passwords(stack):
    sign_up(stack, ANN, "the guest's password")
    assert anybody(stack, "resend-verification", {"email": ANN}, 202) == {"status": "accepted"}
    sign_up(stack, ANN, "the owner's password")
    stack.sql("delete from hookswitch_auth.throttles")
    anybody(stack, "resend-verification", {"email": ANN}, 202)
    assert len(mails(stack, ANN, "verify_email")) == 4
    anybody(stack, "verify-email", {"token": link(stack, ANN, "verify_email")})
    for password in ("the guest's password", "the owner's password"):
        assert anybody(stack, "signin", {"email": ANN, "password": password}, 401)["code"] == "credentials_invalid"


def test_resending_brings_the_password_of_the_only_sign_up(stack):
    sign_up(stack, ANN)
    anybody(stack, "resend-verification", {"email": ANN}, 202)
    anybody(stack, "verify-email", {"token": link(stack, ANN, "verify_email")})
    assert Person(stack, ANN).sign_in().get(f"{AUTH}/me")["email"] == ANN


def test_an_address_gets_few_mails(stack):
    for _ in range(6):
        sign_up(stack, ANN)
    assert len(mails(stack, ANN)) == 3


def test_weak_passwords_are_refused_and_long_ones_are_not_cut(stack):
    for weak in ("1234567", "x" * 73, "é" * 37):
        assert sign_up(stack, ANN, weak, expect=422)["code"] == "password_weak"
    assert stack.value("select count(*) from auth.users") == 0
    person(stack, password="x" * 72)
    assert anybody(stack, "signin", {"email": ANN, "password": "x" * 73}, 401)["code"] == "credentials_invalid"


def test_sign_up_can_be_closed(stack):
    stack.settings_write(HOOKSWITCH_SIGNUP="off")
    stack.start_program("auth")
    try:
        assert sign_up(stack, ANN, expect=403)["code"] == "signup_disabled"
    finally:
        stack.settings_write(HOOKSWITCH_SIGNUP=None)
        stack.start_program("auth")


# ---- nothing is told about who has an account -----------------------------------------

@pytest.mark.parametrize("path,body,status", [
    ("signup", {"password": PASSWORD}, 202),
    ("resend-verification", {}, 202),
    ("forgot-password", {}, 202),
    ("signin", {"password": "wrong " + PASSWORD}, 401),
    ("verify-email", {"code": "123456"}, 422),
    ("reset-password", {"code": "123456", "password": PASSWORD}, 422),
])
def test_answers_tell_nothing_about_who_has_an_account(stack, path, body, status):
    person(stack)
    stack.sql("delete from hookswitch_auth.throttles")
    answers = [stack.anybody().ask("POST", f"{AUTH}/{path}", {"email": e, **body}) for e in (ANN, "bob@example.com")]
    assert [a.status_code for a in answers] == [status, status]
    texts = [a.text.replace("bob@", "ann@").replace(a.headers["X-Request-Id"], "") for a in answers]
    assert texts[0] == texts[1]
    same = {"Date", "X-Request-Id", "Content-Length"}
    assert set(answers[0].headers) - same == set(answers[1].headers) - same


def test_a_second_sign_up_of_a_confirmed_address_changes_nothing(stack):
    ann = person(stack)
    assert sign_up(stack, ANN, "another password", first_name="Eve") == {"email": ANN, "status": "confirmation_sent"}
    assert len(mails(stack, ANN)) == 1 and ann.get(f"{AUTH}/me")["first_name"] is None
    assert anybody(stack, "signin", {"email": ANN, "password": "another password"}, 401)


# ---- a forgotten password ----------------------------------------------------------------

def test_a_forgotten_password_is_set_anew_once_and_ends_all_sessions(stack):
    ann = person(stack)
    assert anybody(stack, "forgot-password", {"email": "ANN@example.com"}, 202) == {"status": "accepted"}
    token = link(stack, ANN, "reset_password")
    answers = at_once(*[lambda i=i: stack.anybody().ask("POST", f"{AUTH}/reset-password", {
        "token": token, "password": f"new password {i}"}) for i in range(4)])
    assert sorted(a.status_code for a in answers) == [200, 422, 422, 422]
    won = [a.status_code for a in answers].index(200)
    assert problem(ann.ask("GET", f"{AUTH}/me"), 401)["code"] == "session_revoked"
    assert ann.refresh(expect=401)["code"] == "refresh_token_invalid"
    assert anybody(stack, "signin", {"email": ANN, "password": PASSWORD}, 401)
    assert anybody(stack, "signin", {"email": ANN, "password": f"new password {won}"})["user"]["id"] == ann.id
    assert len(mails(stack, ANN, "password_changed")) == 1
    assert anybody(stack, "reset-password", {"token": token, "password": "once more please"}, 422)["code"] == "code_invalid"


def test_a_password_is_reset_by_code_too_and_that_confirms_the_address(stack):
    sign_up(stack, ANN, "the guest's password")
    anybody(stack, "forgot-password", {"email": ANN}, 202)
    anybody(stack, "reset-password", {"email": ANN, "code": code(stack, ANN, "reset_password"), "password": PASSWORD})
    assert Person(stack, ANN).sign_in().get(f"{AUTH}/me")["status"] == "active"
    assert anybody(stack, "verify-email", {"token": link(stack, ANN, "verify_email")}, 422)["code"] == "code_invalid"


def test_a_weak_new_password_does_not_spend_the_link(stack):
    person(stack)
    anybody(stack, "forgot-password", {"email": ANN}, 202)
    token = link(stack, ANN, "reset_password")
    assert anybody(stack, "reset-password", {"token": token, "password": "short"}, 422)["code"] == "password_weak"
    anybody(stack, "reset-password", {"token": token, "password": "long enough now"})


def test_nobody_is_mailed_who_has_no_account(stack):
    anybody(stack, "forgot-password", {"email": "nobody@example.com"}, 202)
    anybody(stack, "resend-verification", {"email": "nobody@example.com"}, 202)
    assert mails(stack, "nobody@example.com") == []


# ---- throttling ---------------------------------------------------------------------------

def test_guessing_a_password_is_slowed_down_and_success_forgets(stack):
    ann = person(stack)
    for _ in range(4):
        ann.sign_in("a wrong password", expect=401)
    ann.sign_in()
    # From here on she is known here, and has a counter of her own for this place.
    def sign_in(password):
        return stack.anybody().ask("POST", f"{AUTH}/signin", {"email": ANN, "password": password})

    assert [sign_in("a wrong password").status_code for _ in range(5)] == [401] * 5
    # It is for a second; an hour more, so that there is time to look.
    moved = """update hookswitch_auth.throttles set blocked_until = blocked_until + %s::interval
                where blocked_until is not null returning extract(epoch from blocked_until - touched_at)::integer"""
    assert stack.value(moved, "1 hour") == 3601
    for password in ("a wrong password", "a wrong password", PASSWORD):
        refused = sign_in(password)
        assert problem(refused, 429) and 3000 < int(refused.headers["Retry-After"]) <= 3601
    stack.sql(moved, "-1 hour")
    wait_until(lambda: sign_in(PASSWORD).status_code != 429, what="the end of her wait")
    for _ in range(4):
        ann.sign_in("a wrong password", expect=401)


def test_many_guesses_at_once_are_counted_all(stack):
    person(stack)
    stack.sql("delete from hookswitch_auth.throttles")
    answers = at_once(*[lambda: stack.anybody().ask("POST", f"{AUTH}/signin", {"email": ANN, "password": "a wrong password"})
                        for _ in range(24)])
    assert sum(a.status_code == 401 for a in answers) <= 6
    assert sum(a.status_code == 429 for a in answers) >= 18


def test_somebody_who_tries_many_accounts_is_slowed_down(stack):
    answers = [stack.anybody().ask("POST", f"{AUTH}/signin", {"email": f"p{i}@example.com", "password": "a wrong password"})
               for i in range(32)]
    assert [a.status_code for a in answers] == [401] * 30 + [429] * 2
