"""/api/v1/organizations/{id}/api-keys: made, shown once, rotated while they are used, revoked."""

import hashlib
import threading
import time

import pytest
from stack_client import Client, problem
from stack_organizations import at_once, code, create, ident, join

VIEW = {"id", "name", "prefix", "scopes", "state", "replaces", "replaced_by", "created_by", "created_at", "expires_at", "revoked_at",
        "last_used_at"}


def make(who, path, scopes=("calls:read",), **fields):
    """A new key as it is shown this once."""
    return who.post(f"{path}/api-keys", {"name": "robot", "scopes": list(scopes), **fields}, expect=201)


def with_key(stack, text):
    """Somebody with that key."""
    return Client(stack.url, {"X-API-Key": text})


def test_a_key_is_shown_once_and_works(stack, alice):
    path = create(alice)
    made = make(alice, path, ("calls:read", "organization:read"))
    assert set(made) == VIEW | {"key"} and made["key"].startswith(made["prefix"]) and made["created_by"] == alice.id
    assert len(made["key"]) == 68 and made["key"].startswith("hsk_")
    row = stack.sql("select * from api_keys where id = %s", made["id"])[0]
    assert row.key_hash == hashlib.sha256(made["key"].encode()).hexdigest() and made["key"] not in str(row)
    robot = with_key(stack, made["key"])
    assert robot.get(path)["id"] == ident(path) and robot.get("/api/v1/calls")["data"] == []
    assert code(robot, "GET", f"{path}/api-keys") == (403, "scope_missing")
    shown = alice.get(f"{path}/api-keys/{made['id']}")
    assert set(shown) == VIEW and shown["last_used_at"] and shown["state"] == "active"
    assert made["key"] not in str(alice.get(f"{path}/api-keys")) + str(alice.get(f"{path}/audit-log"))
    assert make(alice, path)["key"] != made["key"]


def test_under_an_idempotency_key_the_same_key_is_shown_again_and_stored_sealed(stack, alice):
    path = create(alice)
    again = alice.with_headers(Idempotency_Key="one")
    first, second = make(again, path), make(again, path)
    assert first == second and stack.count("api_keys", "organization_id = %s", ident(path)) == 1
    assert first["key"] not in str(stack.sql("select body from idempotency_keys"))


@pytest.mark.parametrize("body, status, error, field", [
    ({"scopes": ["calls:read"]}, 400, "bad_fields", "name"), ({"name": "x"}, 400, "bad_fields", "scopes"),
    ({"name": "x", "scopes": []}, 400, "bad_fields", "scopes"), ({"name": "x", "scopes": ["calls:dance"]}, 422, "scope_unknown", "scopes.0"),
    ({"name": "x", "scopes": ["calls:read", 7]}, 400, "bad_fields", "scopes.1"),
    ({"name": "x", "scopes": ["calls:read"], "expires_at": "2001-01-01T00:00:00Z"}, 422, "expires_in_past", "expires_at")])
def test_a_wrong_wish_names_its_field(alice, body, status, error, field):
    path = create(alice)
    answer = problem(alice.ask("POST", f"{path}/api-keys", body), status, error)
    assert [e["field"] for e in answer["errors"]] == [field] and alice.get(f"{path}/api-keys")["data"] == []


def test_nobody_makes_a_key_that_may_do_more_than_he(stack, alice):
    path = create(alice)
    admin = join(stack, path, "admin", "admin")
    for scope in ("*", "organization:delete"):
        assert code(admin, "POST", f"{path}/api-keys", {"name": "x", "scopes": [scope]}) == (403, "rights_exceeded")
    everything = make(alice, path, ("*",))
    assert code(admin, "POST", f"{path}/api-keys/{everything['id']}/rotate", {}) == (403, "rights_exceeded")
    maker = with_key(stack, make(admin, path, ("keys:write", "calls:read"))["key"])
    assert code(maker, "POST", f"{path}/api-keys", {"name": "x", "scopes": ["calls:write"]}) == (403, "rights_exceeded")
    assert make(maker, path)["created_by"] is None
    assert make(with_key(stack, everything["key"]), path, ("*",))["scopes"] == ["*"]


def test_a_key_of_others_does_not_exist(stack, alice, bob):
    path, other = create(alice), create(bob)
    key = make(alice, path)
    for method, rest in (("GET", ""), ("POST", "/rotate"), ("DELETE", "")):
        assert code(bob, method, f"{other}/api-keys/{key['id']}{rest}", {} if method == "POST" else None) == (404, "api_key_not_found")
        assert code(bob, method, f"{path}/api-keys/{key['id']}{rest}", {} if method == "POST" else None) == (404, "organization_not_found")
    assert code(with_key(stack, key["key"]), "GET", other) == (404, "organization_not_found")


def test_a_revoked_and_an_expired_key_end(stack, alice):
    path = create(alice)
    key = make(alice, path)
    assert with_key(stack, key["key"]).get("/api/v1/calls")
    alice.expect("DELETE", f"{path}/api-keys/{key['id']}", expect=204)
    assert code(with_key(stack, key["key"]), "GET", "/api/v1/calls") == (401, "api_key_invalid")
    assert code(alice, "DELETE", f"{path}/api-keys/{key['id']}") == (409, "api_key_ended")
    assert code(alice, "POST", f"{path}/api-keys/{key['id']}/rotate", {}) == (409, "api_key_ended")
    assert alice.get(f"{path}/api-keys/{key['id']}")["state"] == "revoked"
    short = make(alice, path, expires_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600)))
    assert with_key(stack, short["key"]).get("/api/v1/calls")
    stack.sql("update api_keys set expires_at = now() where id = %s", short["id"])
    assert code(with_key(stack, short["key"]), "GET", "/api/v1/calls") == (401, "api_key_invalid")
    assert alice.get(f"{path}/api-keys/{short['id']}")["state"] == "expired"
    got = at_once(*[(alice, "DELETE", f"{path}/api-keys/{make(alice, path)['id']}", None)] * 4)
    assert sorted(got) == [(204, "")] + [(409, "api_key_ended")] * 3


# ---- rotation ------------------------------------------------------------------------


def test_two_live_while_rotating_and_never_more(stack, alice):
    path = create(alice)
    first = make(alice, path)
    second = alice.post(f"{path}/api-keys/{first['id']}/rotate", {"grace_seconds": 3600}, expect=201)
    assert (second["name"], second["scopes"], second["replaces"]) == (first["name"], first["scopes"], first["id"])
    assert alice.get(f"{path}/api-keys/{first['id']}")["replaced_by"] == second["id"]
    assert code(alice, "POST", f"{path}/api-keys/{first['id']}/rotate", {}) == (409, "api_key_rotated")
    assert all(with_key(stack, k["key"]).get("/api/v1/calls") for k in (first, second))
    third = alice.post(f"{path}/api-keys/{second['id']}/rotate", {}, expect=201)
    assert [code(with_key(stack, k["key"]), "GET", "/api/v1/calls")[0] for k in (first, second, third)] == [401, 200, 200]
    fourth = alice.post(f"{path}/api-keys/{third['id']}/rotate", {"grace_seconds": 0}, expect=201)
    assert [code(with_key(stack, k["key"]), "GET", "/api/v1/calls")[0] for k in (second, third, fourth)] == [401, 401, 200]
    body = problem(alice.ask("POST", f"{path}/api-keys/{fourth['id']}/rotate", {"grace_seconds": 700000}), 400)
    assert [e["field"] for e in body["errors"]] == ["grace_seconds"]


def test_a_key_rotated_many_times_at_once_is_rotated_once(stack, alice):
    path = create(alice)
    key = make(alice, path)
    got = at_once(*[(alice, "POST", f"{path}/api-keys/{key['id']}/rotate", {})] * 6)
    assert sorted(got) == [(201, "")] + [(409, "api_key_rotated")] * 5
    assert stack.count("api_keys", "organization_id = %s", ident(path)) == 2


def test_no_request_fails_while_its_key_is_rotated(stack, alice):
    path = create(alice)
    now, wrong, asked, done = [make(alice, path)["key"]], [], [0], threading.Event()

    def work():
        while not done.is_set():
            status = with_key(stack, now[0]).ask("GET", "/api/v1/calls?limit=1").status_code
            asked[0] += 1
            if status != 200:
                wrong.append(status)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    last = alice.get(f"{path}/api-keys")["data"][0]["id"]
    for _ in range(4):
        turned = alice.post(f"{path}/api-keys/{last}/rotate", {"grace_seconds": 60}, expect=201)
        seen = asked[0]
        while asked[0] < seen + 8 and not wrong:  # the old key goes on, then the new one is taken up
            time.sleep(0.002)
        last, now[0] = turned["id"], turned["key"]
        seen = asked[0]
        while asked[0] < seen + 8 and not wrong:
            time.sleep(0.002)
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong and asked[0] >= 64
    assert stack.count("api_keys", "organization_id = %s and (expires_at is null or expires_at > now())", ident(path)) == 2
