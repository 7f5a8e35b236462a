"""What an application does with its service_role token, as clients of Supabase Auth do it."""

import pytest

from accounts import PASSWORD, mails, person as our_person
from accounts_v1 import ANN, Caller, person, recorded, refused, same_shape, sent_to, service, sign_in, signed_in
from stack_client import sign_token

OTHER = "another correct horse"
NOBODY = "8d1f0c0e-0000-4000-8000-000000000000"
ROUTES = [("GET", "/admin/users", None), ("POST", "/admin/users", {"email": "bob@example.com"}),
          ("GET", f"/admin/users/{NOBODY}", None), ("PUT", f"/admin/users/{NOBODY}", {}),
          ("DELETE", f"/admin/users/{NOBODY}", None),
          ("POST", "/admin/generate_link", {"type": "magiclink", "email": ANN})]


@pytest.fixture
def admin(stack):
    """The application."""
    return service(stack)


@pytest.mark.parametrize("method,path,body", ROUTES)
def test_nobody_else_may(stack, method, path, body):
    ann = person(stack)
    refused(Caller(stack).v1(method, path, body), 401, "no_authorization")
    refused(ann.v1(method, path, body), 403, "not_admin")
    for secret, role in (("another", "service_role"), (stack.secrets["jwt"], "anon")):
        token = sign_token(secret, {"role": role, "exp": 9999999999})
        refused(Caller(stack, headers={"Authorization": f"Bearer {token}"}).v1(method, path, body), 403, "bad_jwt")
    assert stack.value("select count(*) from auth.users") == 1


def test_an_account_is_made_without_a_mail(stack, admin):
    user = admin.fine("POST", "/admin/users", {
        "email": "Ann@example.com", "password": PASSWORD, "email_confirm": True, "user_metadata": {"a": 1},
        "app_metadata": {"plan": "x"}, "unknown": 1})
    same_shape({**user, "confirmation_sent_at": user["created_at"], "last_sign_in_at": user["created_at"]}, recorded("user"))
    assert (user["email"], user["user_metadata"], user["app_metadata"]["plan"]) == (ANN, {"a": 1}, "x")
    assert user["email_confirmed_at"] and mails(stack, ANN) == []
    assert signed_in(stack).get("/api/v1/calls")["data"] == []
    refused(admin.v1("POST", "/admin/users", {"email": ANN}), 422, "email_exists")
    refused(admin.v1("POST", "/admin/users", {"email": "bob@example.com", "password": "x"}), 422, "weak_password")
    refused(admin.v1("POST", "/admin/users", {}), 400, "validation_failed")
    bob = admin.fine("POST", "/admin/users", {"email": "bob@example.com", "password": PASSWORD})
    assert "email_confirmed_at" not in bob
    refused(sign_in(stack, "bob@example.com"), 400, "email_not_confirmed")


def test_people_are_listed_and_shown(stack, admin):
    people = [person(stack, f"p{n}@example.com") for n in range(3)]
    answer = admin.v1("GET", "/admin/users?page=1&per_page=2")
    assert answer.status_code == 200 and set(answer.json()) == {"users", "aud"}
    assert [u["id"] for u in answer.json()["users"]] == [people[2].id, people[1].id]
    assert answer.headers["X-Total-Count"] == "3"
    assert answer.headers["Link"] == ('</auth/v1/admin/users?page=2&per_page=2>; rel="next", '
                                      '</auth/v1/admin/users?page=2&per_page=2>; rel="last"')
    assert [u["id"] for u in admin.fine("GET", "/admin/users?page=2&per_page=2")["users"]] == [people[0].id]
    same_shape(admin.fine("GET", f"/admin/users/{people[0].id}"), recorded("user"))
    refused(admin.v1("GET", f"/admin/users/{NOBODY}"), 404, "user_not_found")
    refused(admin.v1("GET", "/admin/users/x"), 400, "validation_failed")
    refused(admin.v1("GET", "/admin/users?page=0"), 400, "validation_failed")


def test_an_account_is_changed(stack, admin):
    ann, bob = person(stack), person(stack, "bob@example.com")
    user = admin.fine("PUT", f"/admin/users/{ann.id}", {
        "email": "ann@new.example", "password": OTHER, "user_metadata": {"a": 1}, "app_metadata": {"plan": "x"}})
    assert (user["email"], user["user_metadata"], user["app_metadata"]["plan"]) == ("ann@new.example", {"a": 1}, "x")
    refused(ann.v1("GET", "/user"), 403, "session_not_found")
    refused(sign_in(stack, "ann@new.example"), 400, "invalid_credentials")
    signed_in(stack, "ann@new.example", OTHER)
    assert "plan" not in admin.fine("PUT", f"/admin/users/{ann.id}", {"app_metadata": {"plan": None}})["app_metadata"]
    refused(admin.v1("PUT", f"/admin/users/{bob.id}", {"email": "Ann@new.example"}), 422, "email_exists")
    refused(admin.v1("PUT", f"/admin/users/{NOBODY}", {"email": ANN}), 404, "user_not_found")


def test_somebody_is_banned(stack, admin):
    ann = person(stack)
    assert admin.fine("PUT", f"/admin/users/{ann.id}", {"ban_duration": "24h"})["banned_until"]
    refused(ann.v1("GET", "/user"), 403, "session_not_found")
    refused(sign_in(stack), 403, "user_banned")
    assert "banned_until" not in admin.fine("PUT", f"/admin/users/{ann.id}", {"ban_duration": "none"})
    signed_in(stack)
    refused(admin.v1("PUT", f"/admin/users/{ann.id}", {"ban_duration": "long"}), 400, "validation_failed")


def test_an_account_is_taken_away(stack, admin):
    ann, bob = person(stack), our_person(stack, "bob@example.com")
    team = stack.insert("organizations", name="Team")
    stack.sql("insert into organization_members (organization_id, user_id, role) values (%s, %s, 'owner')", team, ann.id)
    refused(admin.v1("DELETE", f"/admin/users/{ann.id}"), 409, "user_owns_organization")
    stack.sql("insert into organization_members (organization_id, user_id, role) values (%s, %s, 'owner')", team, bob.id)
    assert admin.fine("DELETE", f"/admin/users/{ann.id}", {"should_soft_delete": False}) == {}
    refused(ann.v1("GET", "/user"), 404, "user_not_found")
    assert ann.ask("GET", "/api/v1/calls").status_code == 401
    refused(sign_in(stack), 400, "invalid_credentials")
    refused(ann.refresh(), 400, "refresh_token_not_found")
    refused(admin.v1("DELETE", f"/admin/users/{ann.id}"), 404, "user_not_found")
    assert stack.value("select status from organizations where personal_of = %s", ann.id) == "disabled"
    assert stack.value("select count(*) from organization_members where organization_id = %s", team) == 1
    again = person(stack)
    assert again.id != ann.id and again.get("/api/v1/calls")["data"] == []


@pytest.mark.parametrize("kind,verified", [("signup", "signup"), ("invite", "invite"), ("magiclink", "signup")])
def test_a_link_is_told_to_the_application_for_somebody_new(stack, admin, kind, verified):
    made = admin.fine("POST", "/admin/generate_link", {
        "type": kind, "email": ANN, "password": PASSWORD, "data": {"a": 1}, "redirect_to": f"{stack.url}/in"})
    properties = {name: made.pop(name) for name in ("action_link", "email_otp", "hashed_token", "verification_type",
                                                    "redirect_to")}
    assert properties["verification_type"] == verified and properties["redirect_to"] == f"{stack.url}/in"
    assert made["email"] == ANN and "email_confirmed_at" not in made and mails(stack, ANN) == []
    if kind == "invite":
        assert made["invited_at"]
    to, _, fragment = sent_to(Caller(stack).ask("GET", properties["action_link"].removeprefix(stack.url)))
    assert to == f"{stack.url}/in" and fragment["refresh_token"]
    assert signed_in(stack).id == made["id"]
    refused(admin.v1("POST", "/admin/generate_link", {"type": "signup", "email": ANN}), 422, "email_exists")


def test_a_link_is_told_to_the_application_for_somebody_known(stack, admin):
    ann = person(stack)
    for kind, mail in (("magiclink", {}), ("recovery", {}), ("email_change_new", {"new_email": "ann@new.example"})):
        made = admin.fine("POST", "/admin/generate_link", {"type": kind, "email": ANN, **mail,
                                                           "redirect_to": "https://evil.example/"})
        assert made["id"] == ann.id and made["redirect_to"] == stack.url and len(made["email_otp"]) == 6
        proof = {"type": kind.replace("_new", ""), "email": mail.get("new_email", ANN), "token": made["email_otp"]}
        assert Caller(stack).fine("POST", "/verify", proof)["user"]["id"] == ann.id
    refused(admin.v1("POST", "/admin/generate_link", {"type": "recovery", "email": "no@example.com"}), 404, "user_not_found")
    refused(admin.v1("POST", "/admin/generate_link", {"type": "email_change_new", "email": "ann@new.example"}), 400,
            "validation_failed")
