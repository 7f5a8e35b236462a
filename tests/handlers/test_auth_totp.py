"""One-time codes: switched on by a first code, asked for at sign-in, good once; recovery codes."""

import pytest

from accounts import AUTH, PASSWORD, Person, app_code, person
from stack_client import problem
from stack_process import at_once

ANN = "ann@example.com"


@pytest.fixture
def ann(stack):
    """Somebody with an account of ours, signed in."""
    return person(stack)


def enrol(who):
    """Switches one-time codes on, with a code that is not spent by it; answers the secret and the recovery codes."""
    begun = who.post(f"{AUTH}/totp", {"password": PASSWORD}, expect=201)
    assert set(begun) == {"secret", "uri"}
    assert begun["uri"].startswith("otpauth://totp/Hookswitch:ann%40example.com?secret=" + begun["secret"])
    codes = who.post(f"{AUTH}/totp/verify", {"code": app_code(begun["secret"])})["recovery_codes"]
    who.stack.sql("update hookswitch_auth.factors set last_step = last_step - 2 where last_step > 0")
    return begun["secret"], codes


def first_step(stack, expect=200):
    """Sign-in with the password; the challenge."""
    body = stack.anybody().post(f"{AUTH}/signin", {"email": ANN, "password": PASSWORD}, expect=expect)
    assert set(body) == {"totp_required", "challenge", "expires_in"} and body["totp_required"] is True
    return body["challenge"]


def second_step(stack, challenge, expect=200, **shown):
    """The second step of sign-in."""
    return stack.anybody().post(f"{AUTH}/signin/totp", {"challenge": challenge, **shown}, expect=expect)


def test_sign_in_asks_for_a_code_once_they_are_switched_on(stack, ann):
    other = ann.sign_in_again()
    assert ann.get(f"{AUTH}/me")["totp_enabled"] is False
    secret, codes = enrol(ann)
    assert ann.get(f"{AUTH}/me")["totp_enabled"] is True and len(set(codes)) == 10
    assert problem(other.ask("GET", f"{AUTH}/me"), 401)["code"] == "session_revoked", "it was opened without a code"
    session = second_step(stack, first_step(stack), code=app_code(secret))
    again = Person(stack, ANN, session)
    assert again.id == ann.id
    assert {s["aal"] for s in again.get(f"{AUTH}/sessions")["data"]} == {"aal2"}


def test_the_challenge_is_no_token(stack, ann):
    enrol(ann)
    challenge = first_step(stack)
    nobody = stack.anybody().with_headers(Authorization=f"Bearer {challenge}")
    assert problem(nobody.ask("GET", f"{AUTH}/me"), 401)["code"] == "token_invalid"
    assert second_step(stack, "x", expect=422, code="123456")["code"] == "code_invalid"
    assert second_step(stack, challenge, expect=400)["code"] == "bad_fields"


def test_a_code_is_good_once(stack, ann):
    secret, _ = enrol(ann)
    code = app_code(secret)
    one, two = first_step(stack), first_step(stack)
    second_step(stack, one, code=code)
    assert second_step(stack, two, expect=422, code=code)["code"] == "code_invalid"
    assert second_step(stack, two, expect=422, code=app_code(secret, -1))["code"] == "code_invalid", "nor one before it"
    assert second_step(stack, one, expect=422, code=app_code(secret, 1))["code"] == "code_invalid", "a challenge too"
    second_step(stack, two, code=app_code(secret, 1))


def test_one_code_many_times_at_once_is_good_once(stack, ann):
    secret, _ = enrol(ann)
    challenges, code = [first_step(stack) for _ in range(4)], app_code(secret)
    answers = at_once(*[lambda c=c: stack.anybody().ask("POST", f"{AUTH}/signin/totp", {"challenge": c, "code": code})
                        for c in challenges])
    assert sorted(a.status_code for a in answers) == [200, 422, 422, 422]


def test_the_code_that_switched_them_on_is_spent(stack, ann):
    begun = ann.post(f"{AUTH}/totp", {"password": PASSWORD}, expect=201)
    code = app_code(begun["secret"])
    ann.post(f"{AUTH}/totp/verify", {"code": code})
    assert second_step(stack, first_step(stack), expect=422, code=code)["code"] == "code_invalid"


def test_a_challenge_takes_five_tries(stack, ann):
    secret, _ = enrol(ann)
    challenge = first_step(stack)
    wrong = f"{(int(app_code(secret, 5)) + 1) % 1000000:06d}"
    for _ in range(5):
        assert second_step(stack, challenge, expect=422, code=wrong)["code"] == "code_invalid"
    assert second_step(stack, challenge, expect=422, code=app_code(secret))["code"] == "code_invalid"
    second_step(stack, first_step(stack), code=app_code(secret))


def test_guessing_codes_is_slowed_down(stack, ann):
    secret, codes = enrol(ann)
    wrong = f"{(int(app_code(secret, 5)) + 1) % 1000000:06d}"
    answers = []
    for n in range(12):
        if n % 4 == 0:
            challenge = first_step(stack)
        if n == 10:  # it is for a second or two: an hour more, so that there is time to look
            stack.sql("update hookswitch_auth.throttles set blocked_until = blocked_until + interval '1 hour'")
        answers.append(stack.anybody().ask("POST", f"{AUTH}/signin/totp", {"challenge": challenge, "code": wrong}))
    assert [a.status_code for a in answers] == [422] * 10 + [429] * 2
    assert problem(answers[-1], 429)["code"] == "too_many_tries"
    second_step(stack, first_step(stack), recovery_code=codes[0])


def test_a_challenge_runs_out(stack, ann):
    secret, _ = enrol(ann)
    challenge = first_step(stack)
    stack.sql("update hookswitch_auth.one_time_tokens set expires_at = now() - interval '1 second' where kind = 'totp'")
    assert second_step(stack, challenge, expect=422, code=app_code(secret))["code"] == "code_invalid"


def test_a_new_password_ends_a_sign_in_that_is_half_done(stack, ann):
    secret, _ = enrol(ann)
    challenge = first_step(stack)
    ann.post(f"{AUTH}/change-password", {"password": PASSWORD, "new_password": "the new password"})
    assert second_step(stack, challenge, expect=422, code=app_code(secret))["code"] == "code_invalid"


def test_a_recovery_code_is_good_once_however_it_is_typed(stack, ann):
    _, codes = enrol(ann)
    second_step(stack, first_step(stack), recovery_code=codes[0].upper().replace("-", " "))
    assert second_step(stack, first_step(stack), expect=422, recovery_code=codes[0])["code"] == "code_invalid"
    answers = at_once(*[lambda c=c: stack.anybody().ask("POST", f"{AUTH}/signin/totp", {"challenge": c, "recovery_code": codes[1]})
                        for c in [first_step(stack) for _ in range(2)]])
    assert sorted(a.status_code for a in answers) == [200, 422]
    assert codes[2] not in str(stack.sql("select c::text from hookswitch_auth.recovery_codes c"))


def test_new_recovery_codes_replace_the_old(stack, ann):
    _, codes = enrol(ann)
    assert ann.post(f"{AUTH}/recovery-codes", {"password": "wrong one"}, expect=403)["code"] == "password_wrong"
    new = ann.post(f"{AUTH}/recovery-codes", {"password": PASSWORD})["recovery_codes"]
    assert not set(new) & set(codes)
    assert second_step(stack, first_step(stack), expect=422, recovery_code=codes[0])["code"] == "code_invalid"
    second_step(stack, first_step(stack), recovery_code=new[0])


def test_a_wrong_first_code_switches_nothing_on(stack, ann):
    secret = ann.post(f"{AUTH}/totp", {"password": PASSWORD}, expect=201)["secret"]
    wrong = f"{(int(app_code(secret, 5)) + 1) % 1000000:06d}"
    assert ann.post(f"{AUTH}/totp/verify", {"code": wrong}, expect=422)["code"] == "code_invalid"
    assert ann.get(f"{AUTH}/me")["totp_enabled"] is False
    Person(stack, ANN).sign_in().get(f"{AUTH}/me")
    newer = ann.post(f"{AUTH}/totp", {"password": PASSWORD}, expect=201)["secret"]
    assert ann.post(f"{AUTH}/totp/verify", {"code": app_code(secret)}, expect=422)["code"] == "code_invalid"
    ann.post(f"{AUTH}/totp/verify", {"code": app_code(newer)})
    assert ann.post(f"{AUTH}/totp", {"password": PASSWORD}, expect=409)["code"] == "totp_enrolled"


def test_codes_are_switched_off_by_who_knows_the_password(stack, ann):
    assert ann.post(f"{AUTH}/totp/disable", {"password": PASSWORD}, expect=409)["code"] == "totp_not_enrolled"
    _, codes = enrol(ann)
    assert ann.post(f"{AUTH}/totp/disable", {"password": "wrong one"}, expect=403)["code"] == "password_wrong"
    assert ann.post(f"{AUTH}/totp/disable", {}, expect=403)["code"] == "password_wrong"
    ann.post(f"{AUTH}/totp/disable", {"password": PASSWORD}, expect=204)
    assert Person(stack, ANN).sign_in().get(f"{AUTH}/me")["totp_enabled"] is False
    assert ann.post(f"{AUTH}/recovery-codes", {"password": PASSWORD}, expect=409)["code"] == "totp_not_enrolled"


def test_the_secret_is_stored_sealed(stack, ann):
    secret, _ = enrol(ann)
    stored = stack.value("select secret from hookswitch_auth.factors")
    assert stored.startswith("sealed:") and secret not in stored
