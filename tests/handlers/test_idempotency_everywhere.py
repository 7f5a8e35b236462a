"""Idempotency-Key on each POST of each program: generated from --describe; what is a person's own is nobody else's."""

import json

import pytest
from accounts import AUTH, PASSWORD, person
from model_routes import Tenant
from stack_client import problem
from stack_operators import CLAIM
from stack_organizations import ROOT, create, ident, join
from stack_routes import FOR_PEOPLE, routes_of
from test_isolation import request_of


@pytest.fixture
def posts(stack):
    """Each POST of somebody."""
    return [r for r in routes_of(stack) if r["method"] == "POST" and r["access"] in FOR_PEOPLE]


def test_each_post_is_done_once_under_a_key_and_a_refusal_is_thought_over(stack, posts):
    stack.provider("vapi")
    tenant, done = Tenant(stack, "ann", **CLAIM).make_all(), []
    for route in posts:
        path, query, body = request_of(route, tenant)
        text = json.dumps(body).encode()
        keyed = tenant.person.with_headers(Idempotency_Key="key-of-" + route["path"].replace("{", "").replace("}", ""))
        first, again = keyed.ask("POST", path, text, params=query), keyed.ask("POST", path, text, params=query)
        if first.status_code >= 300:
            assert "Idempotent-Replayed" not in again.headers, path
            continue
        done.append(route["path"])
        assert (again.status_code, again.content) == (first.status_code, first.content), (path, again.text)
        assert again.headers["Idempotent-Replayed"] == "true" and "Idempotent-Replayed" not in first.headers, path
        problem(keyed.ask("POST", path, text + b" ", params=query), 409, "idempotency_key_reused")
    assert len(done) >= 8 and ROOT in done, done


def test_who_is_left_without_an_organization_makes_one_once(stack, alice):
    stack.sql("update organizations set status = 'disabled' where id = %s", alice.organization)
    keyed = alice.with_headers(Idempotency_Key="once")
    made = [keyed.post(ROOT, {"name": "New"}, expect=201) for _ in range(3)]
    assert made[0] == made[1] == made[2] and stack.count("organizations", "name = 'New'") == 1


def test_an_organization_is_made_once_whichever_is_active(stack, alice):
    keyed = alice.with_headers(Idempotency_Key="once")
    made = keyed.post(ROOT, {"name": "New"}, expect=201)
    alice.post(f"{ROOT}/{made['id']}/default")
    assert keyed.post(ROOT, {"name": "New"}, expect=201) == made and stack.count("organizations", "name = 'New'") == 1
    assert keyed.with_headers(X_Organization_Id=alice.organization).post(ROOT, {"name": "New"}, expect=201) == made


def test_a_secret_is_told_again_to_whom_it_was_told(stack, alice):
    path = create(alice)
    answers = []
    for who in (alice, join(stack, path, "admin", "admin"), stack.api_key(ident(path))):
        keyed = who.with_headers(Idempotency_Key="robot")
        answers.append([keyed.ask("POST", f"{path}/api-keys", {"name": "x", "scopes": ["calls:read"]}) for _ in range(2)])
    assert answers[0][0].status_code == 201 and answers[0][1].json() == answers[0][0].json()
    for answer in answers[1] + answers[2]:
        problem(answer, 409, "idempotency_key_reused")
    assert stack.count("api_keys", "organization_id = %s and name = 'x'", ident(path)) == 1


def test_what_is_a_persons_own_is_not_told_to_another_member(stack):
    ann, bob = person(stack, "ann@example.com"), person(stack, "bob@example.com")
    path = create(ann)
    stack.sql("insert into organization_members (organization_id, user_id, role) values (%s, %s, 'viewer')", ident(path), bob.id)
    for who in (ann, bob):
        who.post(f"{path}/default")
    secrets = []
    for who in (ann, bob):
        keyed = who.with_headers(Idempotency_Key="1")
        first = keyed.post(f"{AUTH}/totp", {"password": PASSWORD}, expect=201)
        assert keyed.post(f"{AUTH}/totp", {"password": PASSWORD}, expect=201) == first
        secrets.append(first["secret"])
    assert secrets[0] != secrets[1]
    assert not any(secret in str(stack.sql("select body from idempotency_keys")) for secret in secrets)
