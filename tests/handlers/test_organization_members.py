"""/api/v1/organizations/{id}/members and invitations: who is invited, joins, changes, leaves."""

import threading

import psycopg
import pytest
from accounts import token_of
from stack_client import problem
from stack_organizations import ROOT, accept, at_once, code, create, ident, invite, join
from stack_process import wait_until

MEMBER = {"user_id", "role", "email", "first_name", "last_name", "created_at"}
INVITATION = {"id", "email", "role", "state", "invited_by", "accepted_by", "expires_at", "sent_at", "created_at"}


def members(who, path):
    """Who is in it, as what."""
    return {m["user_id"]: m["role"] for m in who.get(f"{path}/members?limit=100")["data"]}


# ---- invitations ---------------------------------------------------------------


def test_an_invited_person_joins_once(stack, alice, bob):
    path = create(alice)
    made = alice.post(f"{path}/members", {"email": "Bob@Example.com", "role": "member"}, expect=201)
    assert set(made) == INVITATION
    assert (made["email"], made["state"], made["invited_by"]) == ("bob@example.com", "pending", alice.id)
    run = stack.sql("select * from workflow_runs where workflow = 'mail'")[0]
    assert str(run.organization_id) == ident(path) and run.input["data"]["token_id"] == made["id"]
    assert (run.input["kind"], run.input["to"], run.input["data"]["role"]) == ("invitation", "bob@example.com", "member")
    token = token_of(stack, "invitation", made["id"])
    assert token.split(".")[1] not in str(run.input)
    assert code(bob, "GET", path) == (404, "organization_not_found")
    joined = accept(bob, token)
    assert (joined["id"], joined["role"], joined["is_default"]) == (ident(path), "member", False)
    assert bob.get(path)["role"] == "member" and members(alice, path) == {alice.id: "owner", bob.id: "member"}
    assert accept(bob, token, 409)["code"] == "invitation_used"
    assert alice.get(f"{path}/invitations")["data"][0]["accepted_by"] == bob.id
    assert code(alice, "POST", f"{path}/members", {"email": "bob@example.com", "role": "viewer"}) == (409, "member_exists")
    assert all(set(m) == MEMBER for m in alice.get(f"{path}/members")["data"])


def test_the_mail_holds_the_token_that_opens(stack, alice, bob):
    path = create(alice, "Fleet & Sons")
    alice.post(f"{path}/members", {"email": "bob@example.com", "role": "admin"}, expect=201)
    mail = stack.wait_mail("bob@example.com", "invitation")
    assert "alice@example.com invites you to" in mail.subject and "admin" in mail.text
    assert accept(bob, mail.token)["role"] == "admin"
    assert accept(bob, mail.token, 409)["code"] == "invitation_used"
    alice.expect("DELETE", path)
    assert "Fleet & Sons" in stack.wait_mail("alice@example.com", "organization_deleted").subject
    assert stack.mails("bob@example.com", "organization_deleted") == []


def test_an_invitation_used_twice_at_once_is_used_once(stack, alice, bob):
    path = create(alice)
    token = invite(stack, alice, path, "bob@example.com")
    got = at_once(*[(bob, "POST", f"{ROOT}/invitations/accept", {"token": token})] * 6)
    assert sorted(got) == [(200, "")] + [(409, "invitation_used")] * 5
    assert stack.count("organization_members", "organization_id = %s and user_id = %s", ident(path), bob.id) == 1
    assert stack.count("audit_log", "organization_id = %s and action = 'invitation.accepted'", ident(path)) == 1


def test_accepting_and_taking_back_at_once_have_one_outcome(stack, alice, bob):
    path = create(alice)
    for _ in range(5):
        token = invite(stack, alice, path, "bob@example.com")
        took, gave = at_once((bob, "POST", f"{ROOT}/invitations/accept", {"token": token}),
                             (alice, "DELETE", f"{path}/invitations/{token.split('.')[0]}", None))
        joined = bob.id in members(alice, path)
        assert (took, gave) in (((200, ""), (409, "invitation_used")), ((409, "invitation_revoked"), (204, ""))), (took, gave)
        assert joined == (took[0] == 200)
        if joined:
            alice.expect("DELETE", f"{path}/members/{bob.id}", expect=204)


def test_only_the_invited_address_and_our_own_token_open(stack, alice, bob):
    path = create(alice)
    token = invite(stack, alice, path, "carol@example.com")
    made = token.split(".")[0]
    assert accept(bob, token, 403)["code"] == "invitation_other_address"
    nobody = stack.user("nobody", email=None)
    assert accept(nobody, token, 403)["code"] == "invitation_other_address"
    carol = stack.user("carol")
    for bad in (made, made + ".", token[:-1] + ("0" if token[-1] != "0" else "1"), token_of(stack, "recovery", made), "x"):
        assert accept(carol, bad, 404)["code"] == "invitation_not_found"
    assert accept(carol, token_of(stack, "invitation", alice.id), 404)["code"] == "invitation_not_found"
    assert code(stack.api_key(alice), "POST", f"{ROOT}/invitations/accept", {"token": token}) == (403, "person_needed")
    assert code(stack.anybody(), "POST", f"{ROOT}/invitations/accept", {"token": token}) == (401, "unauthenticated")
    assert accept(carol, token)["role"] == "member"


def test_an_account_whose_address_is_not_confirmed_does_not_join(stack, alice, bob):
    path = create(alice)
    token = invite(stack, alice, path, "bob@example.com")
    if not stack.value("""select count(*) from information_schema.columns where table_schema = 'auth' and table_name = 'users'
                            and column_name = 'email_confirmed_at'"""):
        stack.sql("alter table auth.users add column email_confirmed_at timestamptz")
    stack.sql("insert into auth.users (id, email) values (%s, 'bob@example.com')", bob.id)
    try:
        assert accept(bob, token, 403)["code"] == "invitation_other_address"
        stack.sql("update auth.users set email_confirmed_at = now() where id = %s", bob.id)
        assert accept(bob, token)["role"] == "member"
    finally:
        stack.sql("delete from auth.users where id = %s", bob.id)


def test_an_invitation_is_sent_again_taken_back_and_grows_old(stack, alice, bob):
    path = create(alice)
    token = invite(stack, alice, path, "bob@example.com", "viewer")
    one = f"{path}/invitations/{token.split('.')[0]}"
    assert code(alice, "POST", f"{path}/members", {"email": "BOB@example.com", "role": "viewer"}) == (409, "invitation_exists")
    assert code(alice, "POST", f"{one}/resend", {}) == (429, "rate_limited")
    stack.sql("update organization_invitations set sent_at = now() - interval '1 hour', expires_at = now() - interval '1 second'")
    assert alice.get(f"{path}/invitations")["data"][0]["state"] == "expired"
    assert accept(bob, token, 409)["code"] == "invitation_expired"
    assert alice.post(f"{one}/resend")["state"] == "pending"
    assert stack.count("workflow_runs", "workflow = 'mail'") == 2
    alice.expect("DELETE", one, expect=204)
    assert code(alice, "DELETE", one) == (409, "invitation_revoked")
    assert code(alice, "POST", f"{one}/resend", {}) == (409, "invitation_revoked")
    assert accept(bob, token, 409)["code"] == "invitation_revoked"
    again = invite(stack, alice, path, "bob@example.com")
    assert again != token and accept(bob, again)["role"] == "member"
    other = create(bob, "Bob's")
    assert code(bob, "DELETE", f"{other}/invitations/{token.split('.')[0]}") == (404, "invitation_not_found")
    assert code(bob, "POST", f"{other}/invitations/{token.split('.')[0]}/resend", {}) == (404, "invitation_not_found")


def test_two_invitations_of_one_address_at_once_are_one(stack, alice):
    path = create(alice)
    got = at_once(*[(alice, "POST", f"{path}/members", {"email": "x@example.org", "role": "viewer"})] * 5)
    assert sorted(got) == [(201, "")] + [(409, "invitation_exists")] * 4
    assert stack.count("workflow_runs", "workflow = 'mail'") == 1


@pytest.mark.parametrize("body, field", [({"role": "member"}, "email"), ({"email": "x", "role": "member"}, "email"),
                                         ({"email": "x@example.org"}, "role"), ({"email": "x@example.org", "role": "king"}, "role")])
def test_a_wrong_invitation_names_its_field(alice, body, field):
    answer = problem(alice.ask("POST", f"{create(alice)}/members", body), 400, "bad_fields")
    assert [e["field"] for e in answer["errors"]] == [field]


# ---- roles -----------------------------------------------------------------------


def test_only_owners_make_owners(stack, alice):
    path = create(alice)
    admin, member = join(stack, path, "admin", "admin"), join(stack, path, "member", "member")
    assert code(admin, "PATCH", f"{path}/members/{member.id}", {"role": "owner"}) == (403, "owner_needed")
    assert code(admin, "PATCH", f"{path}/members/{admin.id}", {"role": "owner"}) == (403, "owner_needed")
    assert code(admin, "PATCH", f"{path}/members/{alice.id}", {"role": "viewer"}) == (403, "owner_needed")
    assert code(admin, "DELETE", f"{path}/members/{alice.id}") == (403, "owner_needed")
    assert code(admin, "POST", f"{path}/members", {"email": "x@example.org", "role": "owner"}) == (403, "owner_needed")
    key = stack.api_key(ident(path), ("members:write", "members:read"))
    assert code(key, "PATCH", f"{path}/members/{member.id}", {"role": "owner"}) == (403, "owner_needed")
    assert code(key, "PATCH", f"{path}/members/{member.id}", {"role": "admin"}) == (403, "rights_exceeded")
    assert code(key, "POST", f"{path}/members", {"email": "x@example.org", "role": "admin"}) == (403, "rights_exceeded")
    assert key.expect("PATCH", f"{path}/members/{member.id}", {"role": "viewer"})["role"] == "viewer"
    assert admin.expect("PATCH", f"{path}/members/{member.id}", {"role": "admin"})["role"] == "admin"
    assert alice.expect("PATCH", f"{path}/members/{member.id}", {"role": "owner"})["role"] == "owner"
    assert members(alice, path) == {alice.id: "owner", admin.id: "admin", member.id: "owner"}


def test_a_role_counts_from_the_next_request_on(stack, alice):
    path = create(alice)
    who = join(stack, path, "somebody", "admin")
    assert who.get(f"{path}/api-keys")["data"] == []
    alice.expect("PATCH", f"{path}/members/{who.id}", {"role": "viewer"})
    assert code(who, "GET", f"{path}/api-keys") == (403, "role_missing")
    alice.expect("DELETE", f"{path}/members/{who.id}", expect=204)
    assert code(who, "GET", path) == (404, "organization_not_found")
    assert code(alice, "DELETE", f"{path}/members/{who.id}") == (404, "member_not_found")
    assert code(alice, "PATCH", f"{path}/members/{who.id}", {"role": "viewer"}) == (404, "member_not_found")


# ---- leaving ----------------------------------------------------------------------


def test_everybody_leaves_but_the_last_owner(stack, alice):
    path = create(alice)
    viewer = join(stack, path, "viewer", "viewer")
    assert code(alice, "DELETE", f"{path}/members/me") == (409, "last_owner")
    assert code(alice, "DELETE", f"{path}/members/{alice.id}") == (409, "last_owner")
    assert code(alice, "PATCH", f"{path}/members/{alice.id}", {"role": "admin"}) == (409, "last_owner")
    assert code(viewer, "DELETE", f"{path}/members/{alice.id}") == (403, "role_missing")
    viewer.expect("DELETE", f"{path}/members/me", expect=204)
    assert code(viewer, "DELETE", f"{path}/members/me") == (404, "organization_not_found")
    assert code(alice, "DELETE", f"{ROOT}/{alice.organization}/members/me") == (409, "organization_personal")
    assert members(alice, path) == {alice.id: "owner"}


@pytest.mark.parametrize("how", ["leave", "demote", "remove each other"])
def test_of_two_owners_who_go_at_once_one_stays(stack, alice, how):
    for turn in range(4):
        path = create(alice, f"Work {turn}")
        other = join(stack, path, "other", "owner")
        asks = {"leave": [(alice, "DELETE", f"{path}/members/me", None), (other, "DELETE", f"{path}/members/me", None)],
                "demote": [(who, "PATCH", f"{path}/members/{who.id}", {"role": "viewer"}) for who in (alice, other)],
                "remove each other": [(alice, "DELETE", f"{path}/members/{other.id}", None),
                                      (other, "DELETE", f"{path}/members/{alice.id}", None)]}[how]
        got = sorted(at_once(*asks))
        assert got[0][0] in (200, 204) and got[1] in ((404, "organization_not_found"), (409, "last_owner"), (403, "owner_needed"), (403, "role_missing")), got
        assert stack.count("organization_members", "organization_id = %s and role = 'owner'", ident(path)) == 1


def test_past_the_api_the_last_owner_stays_too(stack, alice):
    path = create(alice)
    other = join(stack, path, "other", "owner")
    leave, refused = "delete from organization_members where organization_id = %s and user_id = %s", []

    def go():
        with stack.connect() as second:
            try:
                second.execute(leave, (ident(path), other.id))
            except psycopg.Error as error:
                refused.append((error.sqlstate, error.diag.message_primary))

    with stack.connect() as first:
        first.execute(leave, (ident(path), alice.id))
        thread = threading.Thread(target=go)
        thread.start()
        wait_until(lambda: stack.value("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = %s",
                                       stack.database), what="the second one to wait for the first")
    thread.join()
    assert refused == [("PT409", "last_owner")]
    assert [str(r.user_id) for r in stack.sql("select user_id from organization_members where organization_id = %s", ident(path))] == [other.id]


def test_members_are_listed_by_pages(stack, alice):
    path = create(alice)
    stack.sql("insert into organization_members (organization_id, user_id, role) select %s, gen_random_uuid(), 'viewer' from generate_series(1, 45)",
              ident(path))
    seen, after = [], ""
    while after is not None:
        page = alice.get(f"{path}/members?limit=20{after}")
        seen += [m["user_id"] for m in page["data"]]
        after = f"&after={page['next_cursor']}" if page["next_cursor"] else None
    assert len(seen) == len(set(seen)) == 46 and seen[0] == alice.id
