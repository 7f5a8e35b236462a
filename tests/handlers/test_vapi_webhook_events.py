"""What becomes of single events of Vapi: foreign ones, ones whose effect fails, ones that nobody understands."""

import json
import uuid

import pytest

from stack import wait_until
from stack_client import Client, problem, raw_request
from stack_hooks import Hooks, recorded, vapi_event


@pytest.fixture
def hooks(stack):
    """Sends webhooks."""
    return Hooks(stack)


@pytest.fixture
def live(stack):
    """live(who): a call of somebody's that talks and of which no webhook comes by itself: (its id, its attempt)."""
    def make(who):
        if not stack.count("call_service_providers"):
            stack.provider("vapi", silence_seconds=3600, report_grace_seconds=3600)
            stack.template()
            stack.sandbox.rule({"lose": True}, provider="vapi", operation="webhook")
            stack.sandbox.rule({"stuck": True}, provider="vapi", operation="create")
        call, = stack.schedule(1, who)
        assert stack.pump()["accepted"] == 1
        return call, stack.attempts(call)[0]
    return make


def report(attempt, **more):
    """The end-of-call report of an attempt."""
    return vapi_event("end-of-call-report", attempt.provider_call_id, str(attempt.id), **more)


def secret_of(stack, organization, secret):
    """A bearer secret of an organization; answers the headers that it signs with."""
    stack.insert("webhook_secrets", organization_id=organization, provider="vapi", kind="bearer", config={}, secret=secret)
    return {"Authorization": f"Bearer {secret}"}


# ---- strangers -----------------------------------------------------------------


def test_an_organization_with_a_valid_secret_cannot_move_anothers_call(stack, hooks, alice, bob, live):
    call, attempt = live(alice)
    before = (stack.call(call), stack.attempts(call))
    bobs = secret_of(stack, bob.organization, "bobs secret")
    for body in (report(attempt), vapi_event("end-of-call-report", attempt.provider_call_id),
                 vapi_event("status-update.ended", attempt.provider_call_id, str(attempt.id)),
                 vapi_event("status-update.ringing", str(uuid.uuid4()), str(attempt.id)),
                 {"call_id": attempt.provider_call_id, "status": "completed", "duration": 99, "transcript": "lies"}):
        hooks.vapi(bob.organization, body, bobs)
    assert set(hooks.states()) == {"foreign_call"}
    assert (stack.call(call), stack.attempts(call)) == before
    problem(hooks.send("vapi", alice.organization, report(attempt), bobs), 401, "signature_invalid")

    # The true owner's events still count: a stranger cannot use up their keys.
    hooks.vapi(alice.organization, report(attempt))
    assert stack.call(call).status == "completed" and stack.count("call_transcripts") == 1


def test_an_event_for_a_call_that_comes_later_is_not_applied_for_a_stranger(stack, hooks, alice, bob, live):
    live(alice)
    bobs = secret_of(stack, bob.organization, "bobs secret")
    stack.sandbox.clear_rules()
    stack.sandbox.rule({"lose": True}, provider="vapi", operation="webhook")
    call, = stack.schedule(1, alice)
    with stack.pumping():
        with stack.sandbox.holding("after", {"stuck": True}, provider="vapi"):
            wait_until(stack.sandbox.held, what="the call at the provider")
            hooks.vapi(bob.organization, vapi_event("end-of-call-report", stack.sandbox.calls()[1]["id"]), bobs)
            assert hooks.states("organization_id = %s", bob.organization) == ["waiting"]
        wait_until(lambda: stack.attempts(call)[0].state == "accepted", what="the answer to the POST")
    assert hooks.states("organization_id = %s", bob.organization) == ["foreign_call"]
    assert stack.call(call).status == "in-progress"


def test_a_calls_token_moves_that_call_only(stack, hooks, alice, live):
    mine, attempt = live(alice)
    other, others = live(alice)
    token = hooks.token(attempt.id)
    hooks.vapi(alice.organization, report(others), token)
    hooks.vapi(alice.organization, vapi_event("end-of-call-report", others.provider_call_id), token)
    hooks.vapi(alice.organization, vapi_event("status-update.ended", others.provider_call_id, str(others.id)), token)
    assert set(hooks.states()) == {"foreign_call"}
    assert stack.call(mine).status == stack.call(other).status == "in-progress"

    hooks.vapi(alice.organization, report(others), hooks.token(others.id))
    hooks.vapi(alice.organization, report(attempt), token)
    assert stack.call(mine).status == stack.call(other).status == "completed"
    stack.sandbox.reset()


def test_a_calls_token_is_worth_nothing_under_another_organization(stack, hooks, alice, bob, live):
    call, attempt = live(alice)
    hooks.vapi(bob.organization, report(attempt), hooks.token(attempt.id))
    assert hooks.states() == ["foreign_call"] and stack.call(call).status == "in-progress"


def test_a_token_that_was_changed_is_refused(stack, hooks, alice, live):
    call, attempt = live(alice)
    other, others = live(alice)
    good = hooks.token(attempt.id)["X-Vapi-Secret"]
    mark, _, seal = good.partition(".")
    for bad in (f"{others.id}.{seal}", good[:-1] + ("0" if good[-1] != "0" else "1"), mark, f"{mark}.", f".{seal}",
                good.upper(), good + "x", f"{mark}.{'0' * 64}"):
        problem(hooks.send("vapi", alice.organization, report(attempt), {"X-Vapi-Secret": bad}), 401, "signature_invalid")
    assert stack.count("webhook_events") == 0 and stack.call(call).status == stack.call(other).status == "in-progress"


# ---- effects that fail, calls that are not there yet --------------------------------


def test_an_event_whose_effect_fails_is_kept_answered_and_applied_later(stack, hooks, alice, live):
    call, attempt = live(alice)
    stack.sql("""create function public.test_fail() returns trigger language plpgsql as
                 $f$ begin raise exception 'no room for words'; end $f$""")
    stack.sql("create trigger test_fail before insert on call_transcripts for each row execute function public.test_fail()")
    try:
        assert hooks.vapi(alice.organization, report(attempt)) == {}
        event, = stack.sql("select * from webhook_events")
        assert event.state == "failed" and "no room for words" in event.apply_error and event.body
        assert stack.call(call).status == "in-progress" and stack.attempts(call)[0].state == "accepted"
        stack.sql("update webhook_events set try_at = now()")
        assert stack.pump()["swept"] == 0
        assert stack.value("select tries from webhook_events") == 1
        hooks.vapi(alice.organization, report(attempt))
        assert stack.count("webhook_events") == 1
    finally:
        stack.sql("drop function public.test_fail() cascade")
    with stack.pumping():
        wait_until(lambda: stack.call(call).finished_at, what="the event's effect")
    event, = stack.sql("select * from webhook_events")
    assert (event.state, event.apply_error, event.report) == ("applied", None, None)
    assert stack.call(call).status == "completed" and stack.count("call_transcripts") == 1
    stack.sandbox.reset()


def test_a_table_that_may_not_be_written_fails_the_effect_and_not_the_event(stack, hooks, alice, live):
    call, attempt = live(alice)
    stack.sql("revoke insert on usage_entries from hookswitch_pump")
    try:
        hooks.vapi(alice.organization, report(attempt))
        assert hooks.states() == ["failed"] and stack.call(call).status == "in-progress"
    finally:
        stack.sql("grant insert on usage_entries to hookswitch_pump")
    with stack.pumping():
        wait_until(lambda: stack.call(call).finished_at, what="the event's effect")
    assert hooks.states() == ["applied"] and stack.count("usage_entries") == 2


def test_an_event_of_a_call_that_we_do_not_know_yet_waits_for_it(stack, hooks, alice):
    stack.provider("vapi", silence_seconds=3600, report_grace_seconds=3600)
    stack.template()
    stack.sandbox.rule({"lose": True}, provider="vapi", operation="webhook")
    call, = stack.schedule(1, alice)
    with stack.pumping():
        with stack.sandbox.holding("after", provider="vapi"):
            wait_until(stack.sandbox.held, what="the call at the provider")
            seen, = stack.sandbox.calls()
            # Neither our mark nor a token: only the provider's id, which we have not been told yet.
            hooks.vapi(alice.organization, vapi_event("status-update.in-progress", seen["id"]))
            hooks.vapi(alice.organization, vapi_event("end-of-call-report", seen["id"]))
            assert hooks.states() == ["waiting", "waiting"]
        wait_until(lambda: stack.call(call).finished_at, what="the end of the call")
    assert set(hooks.states()) <= {"applied", "ignored"}
    assert stack.call(call).status == "completed" and stack.count("call_transcripts") == 1
    stack.invariants()


def test_an_event_of_a_call_that_never_comes_is_given_up_after_a_day(stack, hooks, alice):
    hooks.vapi(alice.organization, vapi_event("end-of-call-report", str(uuid.uuid4())))
    assert hooks.states() == ["waiting"]
    stack.sql("update webhook_events set try_at = now()")
    stack.pump()
    assert hooks.states() == ["waiting"]
    stack.sql("update webhook_events set try_at = now(), received_at = now() - interval '25 hours'")
    stack.pump()
    assert hooks.states() == ["unmatched"]
    assert stack.pump()["swept"] == 0


# ---- shapes ------------------------------------------------------------------------


def test_the_flat_form_of_older_senders_moves_a_call(stack, hooks, alice, live):
    call, attempt = live(alice)
    hooks.vapi(alice.organization, {"call_id": attempt.provider_call_id, "status": "in-progress"})
    assert stack.call(call).progress == "in-progress"
    hooks.vapi(alice.organization, {"call_id": attempt.provider_call_id, "status": "completed", "duration": 75,
                                    "transcript": "Hello.", "recording_url": "https://example.com/a.mp3"})
    row = stack.call(call)
    assert (row.status, row.duration_seconds) == ("completed", 75)
    assert stack.value("select transcript_text from call_transcripts where call_id = %s", call) == "Hello."
    assert stack.value("select recording_url from call_recordings where call_id = %s", call) == "https://example.com/a.mp3"


def test_the_older_names_of_events_move_a_call(stack, hooks, alice, live):
    call, attempt = live(alice)
    hooks.vapi(alice.organization, {"type": "call-start", "call": {"id": attempt.provider_call_id}})
    assert stack.call(call).progress == "in-progress"
    answer = hooks.vapi(alice.organization, {"type": "function-call", "functionCall": {"name": "x", "parameters": {}},
                                             "call": {"id": attempt.provider_call_id}})
    assert "result" in answer
    hooks.vapi(alice.organization, {"type": "call-end", "endedReason": "customer-ended-call", "transcript": "Bye.",
                                    "call": {"id": attempt.provider_call_id}})
    assert (stack.call(call).status, stack.call(call).ended_reason) == ("completed", "customer-ended-call")


@pytest.mark.parametrize("body", [
    b'{"message":{"type":"call.invented","call":{"id":"x"}}}', b"{}", b'{"message":null}', b"[]", b"1", b"null", b'"x"',
    b'{"message":{"type":5}}', b'{"message":{"type":"status-update","status":"orbiting","call":{"id":"c"}}}',
    b'{"message":{"type":"status-update"}}', b'{"message":{"type":"end-of-call-report","call":[]}}',
    b'{"message":{"type":"status-update","status":"ended","call":{"id":"c\\u0000d"}}}',
    b'{"message":{"type":"' + b"x" * 300 + b'"}}', b'{"message":{"type":"\xff\xfe","a":"\\u0000"}}',
    b'{"a":' * 300 + b"1" + b"}" * 300, b'{"message":{"type":"status-update","status":"ended","call":{"id":"' + b"x" * 999
    + b'"}}}', b'{"message":{"type":"end-of-call-report","call":{"id":"c1"},"cost":1e999,"startedAt":"yesterday"}}',
    b'{"message":{"type":"end-of-call-report","call":{"id":"c2"},"durationSeconds":-5,"endedAt":"2026-99-99"}}',
    json.dumps({"message": {**recorded("unknown-type"), "x": "\u2028\ud83d\ude00"}}).encode()],
    ids=lambda b: b[:60].decode(errors="replace"))
def test_a_shape_that_we_do_not_understand_is_kept_and_answered(stack, hooks, alice, body):
    hooks.vapi(alice.organization, body)
    event, = stack.sql("select * from webhook_events")
    assert event.state in ("unknown", "kept", "waiting") and event.apply_error is None
    assert event.body.encode() == body or (b"\xff" in body and "\\u00ff\\u00fe" in event.body)
    hooks.vapi(alice.organization, body)
    assert stack.count("webhook_events") == 1


def test_bytes_that_are_no_text_and_nul_are_kept_escaped(stack, hooks, alice, live):
    call, attempt = live(alice)
    body = json.dumps(report(attempt)).encode().replace(b'"endedReason"', b'"odd": "a\xff\x80\\u0000b", "endedReason"', 1)
    assert b"\xff" in body
    hooks.vapi(alice.organization, body)
    assert hooks.states() == ["applied"] and stack.call(call).status == "completed"
    assert "a\\u00ff\\u0080\\u0000b" in stack.value("select body from webhook_events")


def test_nul_and_broken_text_in_a_transcript_do_not_lose_the_report(stack, hooks, alice, live):
    call, attempt = live(alice)
    event = report(attempt)
    event["message"]["artifact"]["transcript"] = "TRANSCRIPT"
    body = json.dumps(event).encode().replace(b"TRANSCRIPT", b"one\\u0000two\xffthree\\ud800four \xe2\x82\xac")
    hooks.vapi(alice.organization, body)
    assert hooks.states() == ["applied"] and stack.call(call).status == "completed"
    text = stack.value("select transcript_text from call_transcripts")
    assert text.startswith("one") and "four \u20ac" in text


def test_chatter_is_counted_and_not_kept(stack, hooks, alice, live):
    _, attempt = live(alice)
    for kind in ("speech-update.started", "model-output", "conversation-update"):
        for _ in range(7):
            assert hooks.vapi(alice.organization, vapi_event(kind, attempt.provider_call_id, str(attempt.id))) == {}
    counted = "select type, seen from webhook_counts where provider = 'vapi' and type !~ '^state:'"
    wait_until(lambda: dict(stack.sql(counted)) == {"speech-update": 7, "model-output": 7, "conversation-update": 7},
               what="the counts")
    assert stack.count("webhook_events") == 0


def test_counted_chatter_is_not_lost_when_the_program_ends(stack, hooks, alice):
    for _ in range(5):
        hooks.vapi(alice.organization, vapi_event("model-output", "c"))
    assert stack.stop_program("vapi-webhook") == 0
    assert stack.value("select seen from webhook_counts where type = 'model-output'") == 5


def test_chatter_is_kept_where_that_is_wanted(stack, hooks, alice):
    stack.start_program("vapi-webhook", env={"HOOKSWITCH_KEEP_CHATTER": "on"})
    hooks.vapi(alice.organization, vapi_event("model-output", "c"))
    assert hooks.states() == ["kept"]
    stack.start_program("vapi-webhook")


@pytest.mark.parametrize("kind", ["tool-calls", "tool-calls.two", "tool-calls.string-arguments",
                                  "tool-calls.documented-flat", "tool-calls.documented-parameters"])
def test_tool_calls_are_answered_with_an_error_for_each(stack, hooks, alice, live, kind):
    _, attempt = live(alice)
    event = vapi_event(kind, attempt.provider_call_id, str(attempt.id))
    message = event["message"]
    wanted = [call["id"] for call in message.get("toolCallList") or message.get("toolCalls")
              or [one["toolCall"] for one in message["toolWithToolCallList"]]]
    for _ in range(2):
        results = hooks.vapi(alice.organization, event)["results"]
        assert [r["toolCallId"] for r in results] == wanted
        assert all(set(r) <= {"toolCallId", "name", "error"} and r["error"] for r in results)
    assert stack.count("webhook_events") == 1


@pytest.mark.parametrize("kind", ["assistant-request", "transfer-destination-request", "handoff-destination-request"])
def test_what_expects_an_answer_gets_one(stack, hooks, alice, kind):
    answer = hooks.vapi(alice.organization, vapi_event(kind, "some-call"))
    assert set(answer) == {"error"} and answer["error"]
    # A call to a number that nobody has waits for its row.
    assert hooks.states() == ["waiting" if kind == "assistant-request" else "kept"]


# ---- refusals ------------------------------------------------------------------------


def test_what_is_no_webhook_is_refused_with_the_right_status_and_not_kept(stack, hooks, alice):
    good = {"X-Vapi-Secret": stack.secrets["vapi"]}
    for body in (b"", b"{", b"x", b'{"message":', b"{}{}", b"\xff\xfe", b"{'a':1}", b'{"a":1,}', b"\0"):
        problem(hooks.send("vapi", alice.organization, body, good), 400, "bad_json")
    for headers in ({}, {"X-Vapi-Secret": "wrong"}, {"X-Vapi-Secret": ""}, {"Authorization": "Bearer wrong"},
                    {"x-signature": "00" * 32, "x-timestamp": "1"}, {"x-vapi-signature": "00" * 32},
                    {"Authorization": f"Bearer {stack.token('alice')}"}):
        problem(hooks.send("vapi", alice.organization, {"message": {}}, headers), 401, "signature_invalid")
    limit = 2 * 1024 * 1024
    large = b'{"message":{"type":"x","pad":"' + b"x" * limit + b'"}}'
    problem(hooks.send("vapi", alice.organization, large, good), 413, "too_large")
    problem(hooks.send("vapi", alice.organization, large * 3, good), 413, "too_large")
    problem(hooks.send("vapi", "x", b"{}", good), 400, "bad_fields")
    assert stack.count("webhook_events") == stack.count("webhook_event_keys") == 0
    assert hooks.vapi(alice.organization, large[:-100] + b'"}}') == {}


def test_a_body_without_a_length_is_taken_too(stack, alice):
    body = json.dumps(vapi_event("status-update.ringing", "c9")).encode()
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(body[i:i + 50]), body[i:i + 50]) for i in range(0, len(body), 50))
    answer = raw_request(stack.url, (
        f"POST /api/webhooks/vapi/{alice.organization} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"X-Vapi-Secret: {stack.secrets['vapi']}\r\nTransfer-Encoding: chunked\r\n\r\n").encode() + pieces + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:300]
    assert json.loads(stack.value("select body from webhook_events"))["message"]["call"]["id"] == "c9"


def test_without_a_database_the_sender_is_told_to_come_again(stack, hooks, alice, live):
    call, attempt = live(alice)
    stack.start_program("vapi-webhook", env={"DATABASE_URL": "postgresql:///none?host=/none"})
    answer = hooks.send("vapi", alice.organization, report(attempt), hooks.token(attempt.id))
    assert answer.status_code in (500, 503) and int(answer.headers["Retry-After"]) >= 1
    problem(answer, answer.status_code)
    stack.start_program("vapi-webhook")
    hooks.vapi(alice.organization, report(attempt), hooks.token(attempt.id))
    assert stack.call(call).status == "completed"


def test_the_same_through_plain_cgi(cgi_stack):
    hooks, alice = Hooks(cgi_stack), cgi_stack.user("alice")
    cgi_stack.provider("vapi", silence_seconds=3600, report_grace_seconds=3600)
    cgi_stack.template()
    calls = cgi_stack.schedule(3, alice)
    cgi_stack.drain()
    assert {cgi_stack.call(c).status for c in calls} == {"completed"}
    hooks.vapi(alice.organization, vapi_event("model-output", "c"))
    assert cgi_stack.value("select seen from webhook_counts where type = 'model-output'") == 1
    problem(hooks.send("vapi", alice.organization, b"{", {"X-Vapi-Secret": cgi_stack.secrets["vapi"]}), 400, "bad_json")
    problem(hooks.send("vapi", alice.organization, b"{}", {}), 401, "signature_invalid")
    problem(hooks.send("vapi", alice.organization, b"x" * 3 * 1024 * 1024, {}), 413, "too_large")
    problem(Client(cgi_stack.url).ask("GET", f"/api/webhooks/vapi/{alice.organization}"), 405, "method_not_allowed")
    cgi_stack.invariants()
