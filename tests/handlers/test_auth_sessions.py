"""Sessions: refresh tokens that rotate, signing out, what ends at once, and what a person changes about himself."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from accounts import AUTH, PASSWORD, Person, link, mails, person
from stack import wait_until
from stack_client import problem
from stack_process import at_once

ANN = "ann@example.com"


@pytest.fixture
def ann(stack):
    """Somebody with an account of ours, signed in."""
    return person(stack)


def works(who):
    """Whether the access token is good just now."""
    answer = who.ask("GET", "/api/v1/calls?limit=1")
    if answer.status_code != 200:
        assert problem(answer, 401)["code"] == "session_revoked"
    return answer.status_code == 200


def live(stack):
    """How many sessions are not over."""
    return stack.value("select count(*) from hookswitch_auth.sessions where revoked_at is null")


# ---- refresh ---------------------------------------------------------------------

def test_a_refresh_token_is_traded_for_the_next(stack, ann):
    seen = {ann.session["refresh_token"]}
    for _ in range(3):
        ann.refresh()
        seen.add(ann.session["refresh_token"])
        assert works(ann)
    assert len(seen) == 4
    assert stack.value("select count(*) from hookswitch_auth.refresh_tokens where used_at is null") == 1


def test_two_tabs_get_the_same_successor(stack, ann):
    old = ann.session["refresh_token"]
    first, second = ann.refresh(token=old), ann.refresh(token=old)
    assert first["refresh_token"] == second["refresh_token"] and first["access_token"] and works(ann)
    newest = ann.refresh(token=first["refresh_token"])["refresh_token"]
    assert ann.refresh(token=old)["refresh_token"] == newest, "a slow tab is given the token that is good now"
    assert live(stack) == 1


def test_many_refreshes_at_once_end_in_one_token(stack, ann):
    old = ann.session["refresh_token"]
    answers = at_once(*[lambda: stack.anybody().ask("POST", f"{AUTH}/refresh", {"refresh_token": old}) for _ in range(24)])
    assert {a.status_code for a in answers} == {200}
    assert len({a.json()["refresh_token"] for a in answers}) == 1
    assert stack.value("select count(*) from hookswitch_auth.refresh_tokens") == 2
    ann.take(answers[0].json()).refresh()
    assert works(ann)


def test_a_second_refresh_waits_for_the_first_and_is_told_its_successor(stack, ann):
    spent = hashlib.sha256(ann.session["refresh_token"].encode()).hexdigest()
    ask = "select public.auth_refresh(%s, jsonb_build_object('hash', %s::text, 'sealed', %s::text), 10, 60) as said"
    with stack.connect() as first, stack.connect(autocommit=True) as second, ThreadPoolExecutor(1) as pool:
        assert first.execute(ask, (spent, "1" * 64, "one")).fetchone().said["state"] == "rotated"
        other = pool.submit(lambda: second.execute(ask, (spent, "2" * 64, "two")).fetchone().said)
        wait_until(lambda: stack.value("select wait_event_type from pg_stat_activity where pid = %s",
                                       second.info.backend_pid) == "Lock", what="the second one to wait")
        first.commit()
        said = other.result(60)
    assert (said["state"], said["sealed"]) == ("again", "one")


def test_a_spent_token_that_comes_back_later_ends_the_session(stack, ann):
    thief = Person(stack, ANN, ann.session)
    ann.refresh()
    stack.sql("update hookswitch_auth.refresh_tokens set used_at = used_at - interval '61 seconds'")
    other = ann.sign_in_again()
    assert thief.refresh(expect=401)["code"] == "refresh_token_reused"
    assert not works(ann) and works(other), "this session ends, and no other"
    assert ann.refresh(expect=401)["code"] == "refresh_token_invalid"
    assert stack.value("select revoked_because from hookswitch_auth.sessions where revoked_at is not null") == "reuse"


def test_reuse_at_the_same_time_as_a_refresh_leaves_nobody_in(stack, ann):
    thief = Person(stack, ANN, ann.session)
    ann.refresh()
    stack.sql("update hookswitch_auth.refresh_tokens set used_at = used_at - interval '61 seconds'")
    mine, theirs = ann.session["refresh_token"], thief.session["refresh_token"]
    answers = at_once(*[lambda t=t: stack.anybody().ask("POST", f"{AUTH}/refresh", {"refresh_token": t})
                        for t in (mine, theirs) * 4])
    assert all(a.status_code == 401 for a in answers[1::2])
    assert live(stack) == 0 and not works(ann)
    for a in answers[::2]:
        if a.status_code == 200:
            assert ann.refresh(token=a.json()["refresh_token"], expect=401)["code"] == "refresh_token_invalid"


@pytest.mark.parametrize("bad", ["x", "0" * 43, "' or true --"])
def test_what_is_no_refresh_token_is_refused(stack, ann, bad):
    assert ann.refresh(token=bad, expect=401)["code"] == "refresh_token_invalid"
    assert ann.refresh(token=ann.session["access_token"][:200], expect=401)["code"] == "refresh_token_invalid"
    assert works(ann)


def test_a_session_that_was_not_refreshed_for_long_is_over(stack, ann):
    stack.sql("update hookswitch_auth.sessions set expires_at = now() - interval '1 second'")
    assert not works(ann)
    assert ann.refresh(expect=401)["code"] == "refresh_token_invalid"


def test_an_account_that_was_closed_is_out_at_once(stack, ann):
    stack.sql("update user_profiles set status = 'inactive'")
    assert problem(ann.ask("GET", f"{AUTH}/me"), 403)["code"] == "account_inactive"
    assert ann.refresh(expect=403)["code"] == "account_inactive"
    assert ann.sign_in(expect=403)["code"] == "account_inactive"
    stack.anybody().post(f"{AUTH}/forgot-password", {"email": ANN}, expect=202)
    stack.anybody().post(f"{AUTH}/reset-password", {"token": link(stack, ANN, "reset_password"), "password": "another one now"})
    assert ann.sign_in("another one now", expect=403)["code"] == "account_inactive", "a new password opens nothing"


# ---- sign out, sessions ------------------------------------------------------------------

def test_signing_out_ends_this_session_at_once(stack, ann):
    other = ann.sign_in_again()
    ann.post(f"{AUTH}/signout", expect=204)
    assert not works(ann) and works(other)
    assert problem(ann.ask("POST", f"{AUTH}/signout", {}), 401)["code"] == "session_revoked"


@pytest.mark.parametrize("scope,left", [("others", [True, False, False]), ("all", [False, False, False])])
def test_signing_out_elsewhere(stack, ann, scope, left):
    people = [ann, ann.sign_in_again(), ann.sign_in_again()]
    ann.post(f"{AUTH}/signout", {"scope": scope}, expect=204)
    assert [works(p) for p in people] == left


def test_sessions_are_listed_and_ended_one_by_one(stack, ann):
    other = Person(stack, ANN)
    other.http.headers["User-Agent"] = "Another Browser/1.0"
    other.take(other.post(f"{AUTH}/signin", {"email": ANN, "password": PASSWORD}))
    listed = ann.get(f"{AUTH}/sessions")
    assert listed["next_cursor"] is None and len(listed["data"]) == 2
    theirs, mine = listed["data"]
    assert (theirs["current"], mine["current"]) == (False, True)
    assert theirs["user_agent"] == "Another Browser/1.0" and theirs["address"] == "127.0.0.1" and theirs["aal"] == "aal1"
    ann.expect("DELETE", f"{AUTH}/sessions/{theirs['id']}", expect=204)
    assert not works(other) and works(ann)
    assert ann.expect("DELETE", f"{AUTH}/sessions/{theirs['id']}", expect=404)["code"] == "session_not_found"
    assert len(ann.get(f"{AUTH}/sessions")["data"]) == 1


def test_a_stranger_sees_and_ends_no_session_of_others(stack, ann):
    bob = person(stack, "bob@example.com")
    mine = ann.get(f"{AUTH}/sessions")["data"][0]["id"]
    assert bob.expect("DELETE", f"{AUTH}/sessions/{mine}", expect=404)["code"] == "session_not_found"
    assert mine not in [s["id"] for s in bob.get(f"{AUTH}/sessions")["data"]]
    bob.post(f"{AUTH}/signout", {"scope": "all"}, expect=204)
    assert works(ann)


@pytest.mark.parametrize("method,path", [
    ("GET", "me"), ("PATCH", "me"), ("GET", "sessions"), ("POST", "signout"), ("POST", "change-password"),
    ("POST", "change-email"), ("POST", "totp"), ("POST", "totp/verify"), ("POST", "totp/disable"),
    ("POST", "recovery-codes"), ("DELETE", "sessions/0189abcd-ef01-4abc-8def-000000000001")])
def test_somebody_without_a_session_is_nobody(stack, method, path):
    body = {} if method in ("POST", "PATCH") else None
    assert problem(stack.anybody().ask(method, f"{AUTH}/{path}", body), 401)["code"] == "unauthenticated"
    key = stack.api_key(stack.user("alice"))
    assert problem(key.ask(method, f"{AUTH}/{path}", body), 403)["code"] == "person_needed"


# ---- one's own profile ------------------------------------------------------------------------

def test_a_profile_is_changed_field_by_field_and_null_clears(stack, ann):
    change = {"first_name": "Ann", "last_name": "Lee", "phone_number": "+15550100001", "city": "Austin", "state": "TX",
              "address": {"street": "1 Main"}, "preferences": {"theme": "dark"}}
    me = ann.expect("PATCH", f"{AUTH}/me", change)
    assert {k: me[k] for k in change} == change and me["email"] == ANN
    me = ann.expect("PATCH", f"{AUTH}/me", {"last_name": None, "address": None, "city": "Dallas"})
    assert (me["first_name"], me["last_name"], me["address"], me["city"]) == ("Ann", None, None, "Dallas")
    assert ann.get(f"{AUTH}/me") == me
    assert ann.expect("PATCH", f"{AUTH}/me", {}) == {**me, "updated_at": ann.get(f"{AUTH}/me")["updated_at"]}


@pytest.mark.parametrize("change", [
    {"email": "eve@example.com"}, {"status": "active"}, {"id": "x"}, {"phone_number": "555"}, {"address": "x"},
    {"first_name": "x" * 101}, {"preferences": []}])
def test_a_profile_is_checked(stack, ann, change):
    assert ann.expect("PATCH", f"{AUTH}/me", change, expect=400)["code"] == "bad_fields"


def test_a_profile_is_its_owners(stack, ann):
    bob = person(stack, "bob@example.com")
    bob.expect("PATCH", f"{AUTH}/me", {"first_name": "Bob"})
    assert ann.get(f"{AUTH}/me")["first_name"] is None


# ---- another password, another address -------------------------------------------------------------

def test_a_new_password_needs_the_old_one_and_ends_other_sessions(stack, ann):
    other = ann.sign_in_again()
    wrong = ann.post(f"{AUTH}/change-password", {"password": "not the one", "new_password": "the new password"}, expect=403)
    assert wrong["code"] == "password_wrong"
    assert ann.post(f"{AUTH}/change-password", {"new_password": "the new password"}, expect=403)["code"] == "password_wrong"
    assert ann.post(f"{AUTH}/change-password", {"password": PASSWORD, "new_password": "short"}, expect=422)["code"] == "password_weak"
    ann.post(f"{AUTH}/change-password", {"password": PASSWORD, "new_password": "the new password"})
    assert works(ann) and not works(other)
    assert len(mails(stack, ANN, "password_changed")) == 1
    assert ann.sign_in_again("the new password").id == ann.id
    assert stack.anybody().post(f"{AUTH}/signin", {"email": ANN, "password": PASSWORD}, expect=401)


@pytest.mark.parametrize("keyed", [False, True])
def test_guessing_the_password_with_a_session_is_slowed_down(stack, ann, keyed):
    answers = [ann.ask("POST", f"{AUTH}/change-password", {"password": f"guess {i}", "new_password": "the new password"},
                       headers={"Idempotency-Key": f"k{i}"} if keyed else {}) for i in range(7)]
    assert [a.status_code for a in answers] == [403] * 5 + [429] * 2
    assert problem(answers[0], 403)["code"] == "password_wrong" and int(answers[6].headers["Retry-After"]) >= 1


def test_one_key_changes_a_password_once_and_is_answered_the_same(stack, ann):
    change = {"password": PASSWORD, "new_password": "the new password"}
    answers = [ann.ask("POST", f"{AUTH}/change-password", change, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [a.status_code for a in answers] == [200, 200] and answers[0].json() == answers[1].json()
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert len(mails(stack, ANN, "password_changed")) == 1


def test_two_changes_of_one_password_at_once_do_not_both_hold(stack, ann):
    answers = at_once(*[lambda i=i: ann.with_headers().ask("POST", f"{AUTH}/change-password", {
        "password": PASSWORD, "new_password": f"new password {i}"}) for i in range(4)])
    codes = sorted(a.status_code for a in answers)
    assert codes == [200, 403, 403, 403], [a.text for a in answers]


def test_another_address_counts_once_it_is_confirmed(stack, ann):
    assert ann.post(f"{AUTH}/change-email", {"email": "new@example.com", "password": "wrong one"}, expect=403)
    assert ann.post(f"{AUTH}/change-email", {"email": "New@example.com", "password": PASSWORD}, expect=202) == {"status": "accepted"}
    assert ann.get(f"{AUTH}/me")["email"] == ANN and mails(stack, ANN, "email_changed") == []
    body = stack.anybody().post(f"{AUTH}/verify-email", {"token": link(stack, "new@example.com", "email_change")})
    assert body == {"status": "email_changed", "email": "new@example.com"}
    assert ann.get(f"{AUTH}/me")["email"] == "new@example.com"
    assert len(mails(stack, ANN, "email_changed")) == 1, "the old address is told"
    assert Person(stack, "new@example.com").sign_in().id == ann.id
    assert stack.anybody().post(f"{AUTH}/signin", {"email": ANN, "password": PASSWORD}, expect=401)
    ann.refresh()
    assert works(ann)


def test_an_address_that_somebody_has_is_not_told_and_not_taken(stack, ann):
    person(stack, "bob@example.com")
    ann.post(f"{AUTH}/change-email", {"email": "bob@example.com", "password": PASSWORD}, expect=202)
    assert mails(stack, "bob@example.com", "email_change") == []
    ann.post(f"{AUTH}/change-email", {"email": "carol@example.com", "password": PASSWORD}, expect=202)
    token = link(stack, "carol@example.com", "email_change")
    person(stack, "carol@example.com")
    assert stack.anybody().post(f"{AUTH}/verify-email", {"token": token}, expect=409)["code"] == "email_taken"


def test_only_the_newest_wish_for_an_address_counts(stack, ann):
    for e in ("one@example.com", "two@example.com"):
        ann.post(f"{AUTH}/change-email", {"email": e, "password": PASSWORD}, expect=202)
    old = link(stack, "one@example.com", "email_change")
    assert stack.anybody().post(f"{AUTH}/verify-email", {"token": old}, expect=422)["code"] == "code_invalid"
    stack.anybody().post(f"{AUTH}/verify-email", {"token": link(stack, "two@example.com", "email_change")})
