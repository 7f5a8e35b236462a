"""One Idempotency-Key and many who send it: one effect, and its answer for everybody; also when the program dies."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from stack import BOTH_WAYS, Stack, build_dir
from stack_client import problem
from stack_process import PATIENCE

PATH = "/api/v1/calls"
POINTS = ("keyed_taken", "keyed_before_commit", "keyed_committed")


def body_of(stack, **more):
    """What orders a call."""
    stack.provider("vapi")
    return {"recipient_number": stack.number(), "template_id": stack.template(), **more}


def ask_until(who, body, key, patience=("idempotency_in_use",)):
    """Asks again while it is told to; answers the last response and what it was told before."""
    told, end = [], time.monotonic() + PATIENCE
    while time.monotonic() < end:
        answer = who.ask("POST", PATH, body, headers={"Idempotency-Key": key})
        if answer.status_code == 502 and "died" in patience:
            told.append("died")
        elif answer.status_code == 409 and problem(answer, 409)["code"] in patience:
            assert answer.headers["Retry-After"] == "1"
            told.append("in_use")
        else:
            return answer, told
        time.sleep(0.05)
    raise AssertionError(f"no answer in {PATIENCE} s, but {told[-5:]}")


def storm(who, bodies, key, **more):
    """All at once; answers of all of them."""
    start = threading.Barrier(len(bodies))

    def one(body):
        mine = who.with_headers()
        start.wait(PATIENCE)
        return ask_until(mine, body, key, **more)[0]

    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(one, bodies))


@BOTH_WAYS
def test_a_hundred_at_once_have_one_effect_and_all_get_its_answer(stack, alice):
    body = body_of(stack)
    answers = storm(alice, [body] * (30 if stack.cgi else 100), "storm")
    assert {a.status_code for a in answers} == {201}
    assert len({a.content for a in answers}) == 1
    assert sum("Idempotent-Replayed" not in a.headers for a in answers) == 1
    assert stack.count("calls") == stack.count("call_queue") == stack.count("idempotency_keys") == 1


def test_two_requests_under_one_key_have_one_winner(stack, alice):
    body = body_of(stack)
    bodies = [body, {**body, "priority": 1}] * 20
    answers = list(zip(bodies, storm(alice, bodies, "two")))
    won, = {a.content for _, a in answers if a.status_code == 201}
    winners = [sent for sent, a in answers if a.status_code == 201]
    assert len(winners) == 20 and all(sent == winners[0] for sent in winners)
    for _, answer in answers:
        if answer.status_code != 201:
            problem(answer, 409, "idempotency_key_reused")
    assert stack.count("calls") == 1 and str(stack.value("select id from calls")).encode() in won


@pytest.fixture(scope="module")
def crashing(tmp_path_factory):
    """Programs with crash points."""
    with Stack(tmp_path_factory.mktemp("crash"), build=build_dir("HOOKSWITCH_CRASH_BUILD_DIR"),
               start=("calls",)) as running:
        yield running


@pytest.mark.parametrize("point", POINTS)
def test_a_death_in_the_middle_leaves_one_effect(crashing, point):
    stack = crashing
    stack.reset()
    alice, body = stack.user("alice"), body_of(stack)
    once = stack.folder / f"once-{point}"
    stack.start_program("calls", env={"HOOKSWITCH_CRASH_POINT": point, "HOOKSWITCH_CRASH_ONCE": once}, keeper=True)
    patience = ("idempotency_in_use", "died")
    answers = storm(alice, [body] * 10, point, patience=patience)
    assert once.exists()
    assert {a.status_code for a in answers} == {201} and len({a.content for a in answers}) == 1
    replayed = sum("Idempotent-Replayed" in a.headers for a in answers)
    assert replayed == (10 if point == "keyed_committed" else 9)
    assert stack.count("calls") == stack.count("idempotency_keys") == 1
    stack.programs["calls"].kill()
