"""SynthFlow's webhook: only the call's id is signed, so it never says more than: look at this call now."""

import secrets

import pytest

from stack import wait_until
from stack_client import problem
from stack_hooks import Hooks, synthflow_signature

LIES = {"call": {"status": "completed", "end_call_reason": "human_goodbye", "duration": 99999, "transcript": "Lies.",
                 "recording_url": "https://evil.example/a.mp3"}, "status": "completed", "error_message": "",
        "lead": {"phone_number": "+15550000000", "prompt_variables": {}}}


@pytest.fixture
def hooks(stack):
    """Sends webhooks."""
    return Hooks(stack)


@pytest.fixture
def live(stack, alice):
    """A call at SynthFlow that talks on: (its id, its attempt)."""
    stack.provider("synthflow", silence_seconds=3600)
    stack.template()
    stack.sandbox.rule({"stuck": True}, provider="synthflow", operation="create")
    call, = stack.schedule(1, alice)
    assert stack.pump()["accepted"] == 1
    return call, stack.attempts(call)[0]


def forged(call_id, **more):
    """A body that says much about a call."""
    return {**LIES, **more, "call": {**LIES["call"], "call_id": call_id}}


def test_calls_at_synthflow_end_by_their_webhook(stack):
    stack.provider("synthflow", silence_seconds=3600)
    stack.template()
    calls = stack.schedule(6)
    stack.drain()
    assert {stack.call(c).status for c in calls} == {"completed"}
    assert stack.count("call_transcripts") == 6
    assert set(Hooks(stack).states()) == {"applied"}
    stack.invariants()


def test_a_forged_body_with_a_true_signature_changes_nothing_but_the_time_of_the_next_look(stack, hooks, alice, live):
    call, attempt = live
    before = (stack.call(call), stack.queued(call))
    signed = synthflow_signature(stack.secrets["synthflow"], attempt.provider_call_id)
    for status in ("completed", "failed", "busy"):
        body = forged(attempt.provider_call_id, status=status)
        body["call"]["status"] = status
        assert hooks.send("synthflow", alice.organization, body, signed).status_code == 200
    assert hooks.states() == ["applied"] * 3
    assert (stack.call(call), stack.queued(call)) == before
    after = stack.attempts(call)[0]
    assert after.next_look_at < attempt.next_look_at
    assert after._replace(next_look_at=None, updated_at=None) == attempt._replace(next_look_at=None, updated_at=None)
    for table in ("call_transcripts", "call_recordings", "usage_entries", "events"):
        assert stack.count(table) == 0

    # The look finds the truth: it still talks.
    summary = stack.pump()
    assert summary["looked"] == 1
    assert stack.call(call).status == "in-progress"
    looked = stack.attempts(call)[0]
    assert (looked.state, looked.duration_seconds) == ("accepted", None) and looked.next_look_at > after.next_look_at


def test_a_forged_mark_of_another_call_moves_nothing(stack, hooks, alice, live):
    call, attempt = live
    other, = stack.schedule(1, alice)
    stack.pump()
    others = stack.attempts(other)[0]
    body = forged(attempt.provider_call_id, lead={"prompt_variables": {"hookswitch_assignment_id": str(others.id)}})
    assert hooks.send("synthflow", alice.organization, body, synthflow_signature(
        stack.secrets["synthflow"], attempt.provider_call_id)).status_code == 200
    assert stack.attempts(other)[0] == others
    assert stack.call(call).status == stack.call(other).status == "in-progress"


def test_a_strangers_organization_cannot_even_cause_a_look(stack, hooks, alice, bob, live):
    call, attempt = live
    stack.insert("webhook_secrets", organization_id=bob.organization, provider="synthflow", kind="call_id", config={},
                 secret="bobs secret")
    hooks.synthflow(bob.organization, attempt.provider_call_id, synthflow_signature("bobs secret", attempt.provider_call_id))
    assert hooks.states() == ["foreign_call"] and stack.attempts(call)[0] == attempt
    problem(hooks.send("synthflow", alice.organization, forged(attempt.provider_call_id),
                       synthflow_signature("bobs secret", attempt.provider_call_id)), 401, "signature_invalid")
    # The owner's own event is not taken for the stranger's second one.
    hooks.synthflow(alice.organization, attempt.provider_call_id)
    assert hooks.states() == ["foreign_call", "applied"]


@pytest.mark.parametrize("header", ["Synthflow-Signature", "X-Synthflow-Signature", "HTTP-SYNTHFLOW-SIGNATURE",
                                    "synthflow_signature", "http_synthflow_signature"])
def test_each_spelling_of_the_signatures_header(stack, hooks, alice, header):
    ident = secrets.token_hex(8)
    good = synthflow_signature(stack.secrets["synthflow"], ident, header)
    hooks.synthflow(alice.organization, ident, good)
    assert hooks.states() == ["waiting"]
    for headers in ({header: good[header][:-1]}, {header: good[header].replace("=", "")[:-1]}, {header: ""}, {},
                    synthflow_signature(stack.secrets["synthflow"], ident + "x", header),
                    synthflow_signature("wrong", ident, header)):
        problem(hooks.send("synthflow", alice.organization, forged(ident), headers), 401, "signature_invalid")
    assert hooks.states() == ["waiting"]


def test_a_secret_of_the_organization_signs_too(stack, hooks, alice):
    for secret in ("one", "two"):
        stack.insert("webhook_secrets", organization_id=alice.organization, provider="synthflow", kind="call_id",
                     config={}, secret=secret)
    for secret in ("one", "two"):
        hooks.synthflow(alice.organization, f"call-{secret}", synthflow_signature(secret, f"call-{secret}"))
    assert [e.signer for e in stack.sql("select signer from webhook_events")] == ["organization"] * 2


def test_bodies_that_are_no_webhook(stack, hooks, alice):
    ident = "abc"
    good = synthflow_signature(stack.secrets["synthflow"], ident)
    for body in (b"", b"{", b"x", b"\xff"):
        problem(hooks.send("synthflow", alice.organization, body, good), 400, "bad_json")
    for body in ({}, {"call": {}}, {"call": {"call_id": 5}}, {"call": {"call_id": ""}}, [], {"call": {"call_id": "abd"}},
                 {"call": {"call_id": ["abc"]}}, {"call_id": "abc"}):
        problem(hooks.send("synthflow", alice.organization, body, good), 401, "signature_invalid")
    large = b'{"call":{"call_id":"abc"},"pad":"' + b"x" * 2 * 1024 * 1024 + b'"}'
    problem(hooks.send("synthflow", alice.organization, large, good), 413, "too_large")
    assert stack.count("webhook_events") == 0


def test_odd_bodies_with_a_true_signature_are_kept(stack, hooks, alice):
    good = synthflow_signature(stack.secrets["synthflow"], "abc")
    for n, body in enumerate((b'{"call":{"call_id":"abc","status":"orbiting"}}', b'{"call":{"call_id":"abc","status":7}}',
                              b'{"call":{"call_id":"abc"},"x":"\xff\\u0000"}')):
        assert hooks.send("synthflow", alice.organization, body, good).status_code == 200, n
    assert set(hooks.states()) <= {"waiting", "unknown", "kept"} and stack.count("webhook_events") >= 1


def test_many_made_up_states_do_not_fill_the_house(stack, hooks, alice):
    """The state is not signed: however many are made up, they are one event."""
    good = synthflow_signature(stack.secrets["synthflow"], "abc")
    for n in range(50):
        hooks.send("synthflow", alice.organization, {"call": {"call_id": "abc", "status": f"made-up-{n}"}}, good)
    assert stack.count("webhook_events") == 1


def test_an_event_before_the_answer_to_the_post_is_applied_when_the_call_appears(stack, hooks, alice):
    stack.provider("synthflow", silence_seconds=3600)
    stack.template()
    call, = stack.schedule(1, alice)
    with stack.pumping():
        with stack.sandbox.holding("after", provider="synthflow"):
            wait_until(lambda: any(w["status"] == 200 for w in stack.sandbox.webhooks()), what="the early webhook")
            assert hooks.states() == ["waiting"] and stack.call(call).status != "completed"
        wait_until(lambda: stack.call(call).finished_at, what="the end of the call")
    assert hooks.states() == ["applied"] and stack.call(call).status == "completed"
    stack.invariants()


@pytest.mark.parametrize("action", [{"lose": True}, {"copies": 5}, {"sign": "wrong"}, {"delay": 1}], ids=str)
def test_calls_whose_webhook_goes_astray_end_well(stack, action):
    stack.provider("synthflow", silence_seconds=0.5)
    stack.template()
    stack.sandbox.rule(action, provider="synthflow", operation="webhook")
    calls = stack.schedule(4)
    stack.drain()
    assert {stack.call(c).status for c in calls} == {"completed"}
    stack.invariants()


def test_without_a_database_the_sender_is_told_to_come_again(stack, hooks, alice):
    stack.start_program("synthflow-webhook", env={"DATABASE_URL": "postgresql:///none?host=/none"})
    answer = hooks.send("synthflow", alice.organization, forged("abc"),
                        synthflow_signature(stack.secrets["synthflow"], "abc"))
    assert answer.status_code in (500, 503) and int(answer.headers["Retry-After"]) >= 1
    stack.start_program("synthflow-webhook")


def test_the_same_through_plain_cgi(cgi_stack):
    hooks, alice = Hooks(cgi_stack), cgi_stack.user("alice")
    cgi_stack.provider("synthflow", silence_seconds=3600)
    cgi_stack.template()
    calls = cgi_stack.schedule(3, alice)
    cgi_stack.drain()
    assert {cgi_stack.call(c).status for c in calls} == {"completed"}
    hooks.synthflow(alice.organization, "abc", synthflow_signature(cgi_stack.secrets["synthflow"], "abc",
                                                                   "synthflow_signature"))
    problem(hooks.send("synthflow", alice.organization, forged("abc"), {}), 401, "signature_invalid")
    cgi_stack.invariants()
