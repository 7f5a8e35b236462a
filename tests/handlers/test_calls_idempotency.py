"""Idempotency-Key: the same request twice is one call; through FastCGI and through plain CGI."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from stack import BOTH_WAYS
from stack_client import problem

pytestmark = BOTH_WAYS
PATH = "/api/v1/calls"


@pytest.fixture
def body(stack, alice):
    """What orders a call."""
    stack.provider("vapi")
    return {"recipient_number": stack.number(), "template_id": stack.template()}


def keyed(key):
    """The header."""
    return {"Idempotency-Key": key}


def test_the_same_request_with_the_same_key_is_one_call(stack, alice, body):
    first = alice.ask("POST", PATH, body, headers=keyed("k1"))
    again = alice.ask("POST", PATH, body, headers=keyed("k1"))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again.headers["Idempotent-Replayed"] == "true" and "Idempotent-Replayed" not in first.headers
    assert alice.ask("POST", PATH, body, headers=keyed("k2")).json()["id"] != first.json()["id"]
    assert alice.ask("POST", PATH, body).json()["id"] != first.json()["id"]
    assert stack.count("calls") == stack.count("call_queue") == 3


def test_a_key_belongs_to_one_request(stack, alice, body):
    alice.ask("POST", PATH, body, headers=keyed("k1"))
    other = {**body, "priority": 1}
    problem(alice.ask("POST", PATH, other, headers=keyed("k1")), 409, "idempotency_key_reused")
    problem(alice.ask("POST", PATH + "/batch", {"calls": [body]}, headers=keyed("k1")), 409, "idempotency_key_reused")
    assert stack.count("calls") == 1


def test_a_key_belongs_to_one_organization(stack, alice, bob, body):
    first = alice.ask("POST", PATH, body, headers=keyed("k1"))
    second = bob.ask("POST", PATH, body, headers=keyed("k1"))
    assert second.status_code == 201 and "Idempotent-Replayed" not in second.headers
    assert first.json()["id"] != second.json()["id"]
    assert bob.get(PATH)["data"][0]["id"] == second.json()["id"]


def test_a_refusal_is_not_kept(stack, alice, body):
    wrong = {**body, "template_id": body["template_id"][:-1] + ("0" if body["template_id"][-1] != "0" else "1")}
    problem(alice.ask("POST", PATH, wrong, headers=keyed("k1")), 422, "template_not_found")
    problem(alice.ask("POST", PATH, {"x": 1}, headers=keyed("k1")), 400, "bad_fields")
    assert stack.count("idempotency_keys") == 0
    assert alice.ask("POST", PATH, body, headers=keyed("k1")).status_code == 201
    assert stack.count("calls") == 1


def test_a_key_is_forgotten_after_a_day(stack, alice, body):
    first = alice.ask("POST", PATH, body, headers=keyed("k1")).json()
    stack.sql("update idempotency_keys set created_at = now() - interval '25 hours'")
    second = alice.ask("POST", PATH, body, headers=keyed("k1")).json()
    assert first["id"] != second["id"]
    assert alice.ask("POST", PATH, body, headers=keyed("k1")).json()["id"] == second["id"]
    stack.sql("update idempotency_keys set created_at = now() - interval '25 hours'")
    stack.pump()
    assert stack.count("idempotency_keys") == 0


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "ü".encode().decode("latin1"), "a b"])
def test_a_key_that_is_no_key_is_refused(stack, alice, body, key):
    answer = alice.ask("POST", PATH, body, headers={"Idempotency-Key": key.encode("latin1")})
    if key.strip():
        problem(answer, 400, "bad_idempotency_key")
        assert stack.count("calls") == 0
    else:
        # An empty header is none for some web servers; what is certain is that it is no key.
        assert answer.status_code in (201, 400) and stack.count("idempotency_keys") == 0


def test_a_key_of_the_largest_size_works(stack, alice, body):
    key = "x" * 255
    assert alice.ask("POST", PATH, body, headers=keyed(key)).status_code == 201
    assert alice.ask("POST", PATH, body, headers=keyed(key)).headers["Idempotent-Replayed"] == "true"


def test_every_post_takes_a_key(stack, alice, body):
    call = alice.ask("POST", PATH + "/batch", {"calls": [body, body]}, headers=keyed("b")).json()["data"][0]["id"]
    assert len(alice.ask("POST", PATH + "/batch", {"calls": [body, body]}, headers=keyed("b")).json()["data"]) == 2
    assert stack.count("calls") == 2
    when = {"scheduled_time": "2099-01-01T00:00:00Z"}
    for path, what in ((f"{PATH}/{call}/reschedule", when), (f"{PATH}/{call}/cancel", {})):
        first = alice.ask("POST", path, what, headers=keyed(path))
        again = alice.ask("POST", path, what, headers=keyed(path))
        assert first.status_code == again.status_code == 200 and first.content == again.content
    problem(alice.ask("POST", f"{PATH}/{call}/cancel", headers=keyed("another")), 409, "call_ended")
    retried = [alice.ask("POST", f"{PATH}/{call}/retry", headers=keyed("r")).json()["id"] for _ in range(2)]
    assert retried[0] == retried[1] and stack.count("calls") == 3


def test_many_at_once_with_one_key_make_one_call(stack, alice, body):
    keys, each = 5, 8
    start = threading.Barrier(keys * each)

    def one(key):
        who = alice.with_headers(Idempotency_Key=f"k{key}")
        start.wait(30)
        return key, who.ask("POST", PATH, body)

    with ThreadPoolExecutor(keys * each) as pool:
        answers = list(pool.map(one, [key for key in range(keys) for _ in range(each)]))
    for key in range(keys):
        mine = [answer for k, answer in answers if k == key]
        made = [a for a in mine if a.status_code == 201]
        assert len({a.json()["id"] for a in made}) == 1
        assert sum("Idempotent-Replayed" not in a.headers for a in made) == 1
        for answer in mine:
            if answer.status_code != 201:
                problem(answer, 409, "idempotency_in_use")
                assert answer.headers["Retry-After"] == "1"
    assert stack.count("calls") == keys
