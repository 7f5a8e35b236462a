"""The calls resource as a client sees it; each test through the FastCGI programs and through plain CGI."""

import re
import uuid
from datetime import datetime, timedelta, timezone

import pytest

from stack import BOTH_WAYS, wait_until

pytestmark = BOTH_WAYS

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def soon(**delta):
    """A time from now, to the second."""
    return (datetime.now(timezone.utc) + timedelta(**delta)).replace(microsecond=0)


def text(moment):
    """A time as the API takes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(words):
    """A time as the API gives it."""
    assert RFC3339.fullmatch(words), words
    return datetime.fromisoformat(words.replace("Z", "+00:00"))


def about(one, other):
    """The same time but for what one transaction takes."""
    return abs(one - other) < timedelta(seconds=10)


@pytest.fixture
def template(stack):
    """A template that a provider of each kind can say."""
    stack.provider("vapi", priority=1)
    stack.provider("synthflow", priority=2)
    return stack.template()


@pytest.fixture
def order(stack, alice, template):
    """Orders one call of alice's: order(priority=1)."""
    def one(expect=201, **fields):
        return alice.post("/api/v1/calls", {"recipient_number": stack.number(), "template_id": template, **fields},
                          expect=expect)
    return one


def ended(stack, ident):
    """Dial until the call is over."""
    stack.drain()
    return stack.call(ident)


# ---- create ----------------------------------------------------------------


def test_an_ordered_call_waits_in_the_queue_under_one_id(stack, alice, order):
    call = order()
    assert (call["status"], call["priority"], call["attempts"], call["max_attempts"]) == ("queued", 5, 0, 3)
    assert call["organization_id"] == alice.organization and call["user_id"] == alice.id
    assert call["custom_variables"] == {} and call["metadata"] == {}
    assert str(stack.queued(call["id"]).id) == str(stack.call(call["id"]).id) == call["id"]
    assert alice.get(f"/api/v1/calls/{call['id']}")["id"] == call["id"]
    assert about(instant(call["expires_at"]), instant(call["due_at"]) + timedelta(days=1))


def test_all_fields_are_kept_and_given_back(stack, alice, order):
    voice = stack.insert("voice_options", voice_id="Elliot", name="Elliot")
    number = stack.insert("phone_numbers", organization_id=alice.organization, phone_number="+15558880000")
    at, until = soon(hours=2), soon(hours=5)
    call = order(recipient_name="Zoë Müller 😀", recipient_email="zoe@example.com", scheduled_time=text(at), priority=0,
                 custom_variables={"who": "Zoë", "n": 1}, metadata={"crm": {"id": [1, None, True]}}, voice_id=voice,
                 caller_number_id=number, max_attempts=7, expires_at=text(until))
    found = alice.get(f"/api/v1/calls/{call['id']}")
    assert found["recipient_name"] == "Zoë Müller 😀" and found["recipient_email"] == "zoe@example.com"
    assert instant(found["scheduled_time"]) == at and instant(found["expires_at"]) == until
    assert found["custom_variables"] == {"who": "Zoë", "n": 1}
    assert found["metadata"] == {"crm": {"id": [1, None, True]}}
    assert (found["priority"], found["max_attempts"]) == (0, 7)
    assert (found["voice_id"], found["caller_number_id"], found["from_number"]) == (voice, number, "+15558880000")


def test_a_call_that_cannot_be_is_refused_with_its_reason(stack, alice, bob, order, template):
    gone = str(uuid.uuid4())
    private = stack.template(organization_id=bob.organization)
    mute = stack.template(kinds=())
    asking = stack.template(params={"required": ["who"]})
    other = stack.insert("phone_numbers", organization_id=bob.organization, phone_number="+15558880001")
    for fields, code, field in [
            ({"template_id": gone}, "template_not_found", "template_id"),
            ({"template_id": private}, "template_not_found", "template_id"),
            ({"template_id": mute}, "template_no_target", "template_id"),
            ({"template_id": asking}, "variable_missing", "custom_variables.who"),
            ({"template_id": asking, "custom_variables": {"who": ""}}, "variable_missing", "custom_variables.who"),
            ({"voice_id": gone}, "voice_not_found", "voice_id"),
            ({"caller_number_id": other}, "caller_number_not_found", "caller_number_id"),
            ({"expires_at": text(soon(minutes=-1))}, "expires_before_due", "expires_at"),
            ({"scheduled_time": text(soon(hours=3)), "expires_at": text(soon(hours=2))}, "expires_before_due",
             "expires_at")]:
        found = order(expect=422, **fields)
        assert (found["code"], [e["field"] for e in found["errors"]]) == (code, [field]), found
    assert stack.count("calls") == stack.count("call_queue") == 0
    assert order(template_id=asking, custom_variables={"who": "Ann"})["status"] == "queued"


def test_a_batch_is_taken_whole_or_not_at_all(stack, alice, template):
    def item(number):
        return {"recipient_number": number, "template_id": template}

    numbers = [stack.number() for _ in range(500)]
    found = alice.post("/api/v1/calls/batch", {"calls": [item(n) for n in numbers]}, expect=201)["data"]
    assert [c["recipient_number"] for c in found] == numbers
    assert stack.count("call_queue") == 500

    refused = alice.post("/api/v1/calls/batch", {"calls": [item(numbers[0]), item("123")]}, expect=400)
    assert [e["field"] for e in refused["errors"]] == ["calls.1.recipient_number"]
    wrong = {"recipient_number": numbers[0], "template_id": str(uuid.uuid4())}
    refused = alice.post("/api/v1/calls/batch", {"calls": [item(numbers[0]), item(numbers[1]), wrong]}, expect=422)
    assert (refused["code"], refused["errors"][0]["field"]) == ("template_not_found", "calls.2.template_id")
    for calls in ([], [item(n) for n in (*numbers, "+15550001234")]):
        assert alice.post("/api/v1/calls/batch", {"calls": calls}, expect=400)["errors"][0]["field"] == "calls"
    assert stack.count("call_queue") == 500


# ---- see -------------------------------------------------------------------


def test_sixty_calls_are_listed_page_by_page_and_by_filter(stack, alice, template):
    second = stack.template()
    ids = stack.schedule(40, alice, template) + stack.schedule(20, alice, second, scheduled_time=text(soon(hours=1)))
    seen, cursor, pages = [], "", 0
    while cursor is not None:
        page = alice.get(f"/api/v1/calls?limit=7{cursor and '&after=' + cursor}")
        assert len(page["data"]) <= 7
        seen, cursor, pages = seen + page["data"], page["next_cursor"], pages + 1
    assert pages == 9 and sorted(c["id"] for c in seen) == sorted(ids)
    # Times are told in milliseconds: of calls in the same one only the database knows the order.
    assert [c["created_at"] for c in seen] == sorted((c["created_at"] for c in seen), reverse=True)

    assert len(alice.get("/api/v1/calls")["data"]) == 20
    assert len(alice.get("/api/v1/calls?limit=100")["data"]) == 60
    number = seen[10]["recipient_number"]
    moment = stack.value("select min(created_at) from calls where template_id = %s", second)
    moment = moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    for query, expected in [("status=queued", 60), ("status=completed", 0), ("direction=inbound", 0),
                            ("direction=outbound", 60), (f"template_id={second}", 20),
                            (f"recipient_number=%2B{number[1:]}", 1), (f"created_from={moment}", 20),
                            (f"created_to={moment}", 40), (f"created_to={moment}&template_id={second}", 0)]:
        assert len(alice.get(f"/api/v1/calls?limit=100&{query}")["data"]) == expected, query


@pytest.mark.parametrize("cursor", ["x", "!!!", "MTIz", "AAAA", "LS0tLS0t", "%00", pytest.param("a" * 600, id="long"), "eyJhIjoxfQ"])
def test_a_cursor_that_no_list_made_is_refused(alice, cursor):
    assert alice.get(f"/api/v1/calls?after={cursor}", expect=400)["code"] in ("bad_cursor", "bad_fields")


def test_numbers_of_the_queue_and_of_the_past(stack, alice, bob, template):
    stack.schedule(2, bob, template)
    stack.schedule(3, alice, template)
    stack.schedule(1, alice, template, scheduled_time=text(soon(hours=1)))
    stack.sql("update call_service_providers set max_concurrent_calls = 0")
    stack.pump()
    queue = alice.get("/api/v1/calls/queue")
    assert (queue["queued"], queue["due"], queue["scheduled"], queue["in_progress"]) == (4, 3, 1, 0)
    assert queue["waiting_for"] == {"provider_capacity": 3}
    stack.sql("update call_service_providers set max_concurrent_calls = 10")
    stack.sql("update call_queue set due_at = now(), scheduled_time = now() where status = 'queued'")
    stack.drain()
    stats = alice.get("/api/v1/calls/stats")
    assert (stats["total"], stats["completed"], stats["queued"], stats["attempts"]) == (4, 4, 0, 4)
    assert stats["ended_reasons"] == {"assistant-ended-call": 4}
    assert alice.get(f"/api/v1/calls/stats?to={text(soon(days=-1))}&from={text(soon(days=-2))}")["total"] == 0
    stack.invariants()


def test_what_was_said_heard_and_done_is_there_after_the_end(stack, alice, order):
    call = order(recipient_name="Ann")["id"]
    for part in ("transcript", "recording"):
        assert alice.get(f"/api/v1/calls/{call}/{part}", expect=404)["code"] == f"{part}_not_found"
    assert alice.get(f"/api/v1/calls/{call}/actions") == {"data": [], "next_cursor": None}
    row = ended(stack, call)
    assert row.status == "completed"

    found = alice.get(f"/api/v1/calls/{call}")
    assert (found["status"], found["progress"], found["attempts"]) == ("completed", "ended", 1)
    assert found["ended_reason"] == "assistant-ended-call" and found["provider_type"] == "vapi"
    assert instant(found["started_at"]) <= instant(found["ended_at"])
    transcript = alice.get(f"/api/v1/calls/{call}/transcript")
    assert transcript["transcript"] and transcript["segments"] and transcript["summary"]
    recording = alice.get(f"/api/v1/calls/{call}/recording")
    assert set(recording) == {"url", "stereo_url", "expires_at", "content_type"}
    assert recording["url"].startswith("https://") and recording["content_type"] == "audio/wav"

    stack.insert("call_actions", call_id=call, call_created_at=row.created_at, organization_id=alice.organization,
                 action_type="callback", action_data={"at": "noon"})
    action, = alice.get(f"/api/v1/calls/{call}/actions")["data"]
    assert (action["action_type"], action["action_data"], action["status"]) == ("callback", {"at": "noon"}, "pending")
    stack.invariants()


def test_a_recording_is_asked_for_anew_and_a_silent_provider_is_no_fault_of_ours(stack, alice, order):
    call = order()["id"]
    ended(stack, call)
    stack.sandbox.rule({"status": 500}, provider="vapi", operation="get", times=1)
    assert alice.get(f"/api/v1/calls/{call}/recording", expect=503)["code"] == "unavailable"
    stack.sandbox.rule({"status": 404}, provider="vapi", operation="get", times=1)
    assert alice.get(f"/api/v1/calls/{call}/recording", expect=404)["code"] == "recording_not_found"
    assert alice.get(f"/api/v1/calls/{call}/recording")["url"]


def test_a_recording_at_synthflow_is_found_too(stack, alice, order):
    stack.sql("update call_service_providers set is_active = false where provider_type = 'vapi'")
    call = order()["id"]
    assert ended(stack, call).provider_type == "synthflow"
    assert alice.get(f"/api/v1/calls/{call}/recording")["url"].startswith("https://")
    assert alice.get(f"/api/v1/calls/{call}/transcript")["transcript"]


# ---- cancel ----------------------------------------------------------------


def test_a_waiting_call_is_canceled_at_once_and_only_once(stack, alice, order):
    call = order()["id"]
    assert alice.post(f"/api/v1/calls/{call}/cancel")["status"] == "canceled"
    assert alice.post(f"/api/v1/calls/{call}/cancel", expect=409)["code"] == "call_ended"
    assert stack.pump()["claimed"] == 0
    assert stack.sandbox.dials()["dials"] == 0
    stack.invariants()


def test_a_live_call_is_hung_up_at_vapi(stack, alice, order):
    stack.sandbox.settings(durations={"in_progress": 600})
    call = order()["id"]
    with stack.pumping():
        wait_until(lambda: stack.call(call).progress == "in-progress", what="the talk")
        assert alice.post(f"/api/v1/calls/{call}/cancel")["status"] == "in-progress"
        wait_until(stack.all_over, what="the end of the call")
    assert stack.sandbox.calls()[0]["ended_reason"] == "manually-canceled"
    row = stack.call(call)
    assert (row.status, row.ended_reason) == ("canceled", "manually-canceled")
    assert alice.post(f"/api/v1/calls/{call}/cancel", expect=409)["code"] == "call_ended"
    stack.invariants()


def test_a_live_call_at_synthflow_cannot_be_hung_up_but_is_not_dialled_again(stack, alice, order):
    stack.sql("update call_service_providers set is_active = false where provider_type = 'vapi'")
    stack.sandbox.rule({"outcome": "busy"}, provider="synthflow", operation="create")
    # Its end is not told before it was canceled.
    with stack.sandbox.holding("before", provider="synthflow", operation="webhook"):
        call = order()["id"]
        stack.pump()
        assert alice.post(f"/api/v1/calls/{call}/cancel")["cancel_requested_at"]
    assert ended(stack, call).status == "canceled"
    assert stack.sandbox.dials()["dials"] == 1
    stack.invariants()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_call_canceled_while_it_is_dialled_is_hung_up_as_soon_as_the_provider_has_it(stack, alice, order, when):
    """Before the provider has made a call of it, and after: then webhooks may overtake the answer."""
    stack.sandbox.settings(durations={"in_progress": 600})
    call = order()["id"]
    with stack.pumping():
        with stack.sandbox.holding(when, provider="vapi"):
            wait_until(stack.sandbox.held, what="the dial")
            assert stack.attempts(call)[0].state in (("sent",) if when == "before" else ("sent", "accepted"))
            assert alice.post(f"/api/v1/calls/{call}/cancel")["status"] in ("queued", "in-progress")
        wait_until(stack.all_over, what="the end of the call")
    assert (stack.call(call).status, stack.sandbox.calls()[0]["ended_reason"]) == ("canceled", "manually-canceled")
    stack.invariants()


def test_a_call_canceled_while_its_dial_is_refused_goes_to_nobody_else(stack, alice, order):
    call = order()["id"]
    with stack.pumping():
        with stack.sandbox.holding("before", {"status": 429}, provider="vapi"):
            wait_until(stack.sandbox.held, what="the dial")
            alice.post(f"/api/v1/calls/{call}/cancel")
        wait_until(stack.all_over, what="the end of the call")
    assert stack.call(call).status == "canceled" and stack.sandbox.dials()["dials"] == 0
    stack.invariants()


def test_a_call_that_was_only_assigned_is_canceled_without_a_dial(stack, alice, order):
    call = order()["id"]
    stack.sql("select assign_call_to_provider(%s, (select id from call_service_providers where provider_type = 'vapi'))", call)
    assert stack.attempts(call)[0].state == "leased"
    assert alice.post(f"/api/v1/calls/{call}/cancel")["status"] == "canceled"
    stack.pump()
    assert stack.sandbox.dials()["attempts"] == 0
    stack.invariants()


def test_an_ended_call_cannot_be_canceled(stack, alice, order):
    call = order()["id"]
    ended(stack, call)
    assert alice.post(f"/api/v1/calls/{call}/cancel", expect=409)["code"] == "call_ended"
    assert stack.call(call).status == "completed"


# ---- reschedule and retry ----------------------------------------------------


def test_a_waiting_call_moves_to_another_time_and_then_back(stack, alice, order):
    call, at = order()["id"], soon(hours=4)
    moved = alice.post(f"/api/v1/calls/{call}/reschedule", {"scheduled_time": text(at)})
    assert instant(moved["scheduled_time"]) == instant(moved["due_at"]) == at
    assert about(instant(moved["expires_at"]), at + timedelta(days=1))
    assert stack.pump()["claimed"] == 0
    alice.post(f"/api/v1/calls/{call}/reschedule", {"scheduled_time": text(soon(seconds=-5))})
    assert ended(stack, call).status == "completed"
    refused = alice.post(f"/api/v1/calls/{call}/reschedule", {"scheduled_time": text(at)}, expect=409)
    assert refused["code"] == "call_not_queued"
    assert alice.post(f"/api/v1/calls/{call}/reschedule", {"scheduled_time": None}, expect=400)
    stack.invariants()


def test_a_call_that_ended_can_be_ordered_again_and_names_the_old_one(stack, alice, order):
    call = order(recipient_name="Ann", custom_variables={"a": 1}, metadata={"b": 2}, priority=3)
    assert alice.post(f"/api/v1/calls/{call['id']}/retry", expect=409)["code"] == "call_not_ended"
    ended(stack, call["id"])
    again = alice.post(f"/api/v1/calls/{call['id']}/retry", {"scheduled_time": text(soon(hours=1))}, expect=201)
    assert again["id"] != call["id"] and again["retry_of"] == call["id"]
    for same in ("recipient_number", "recipient_name", "template_id", "custom_variables", "metadata", "priority"):
        assert again[same] == call[same], same
    assert alice.get(f"/api/v1/calls/{call['id']}")["retry_of"] is None
    assert order()["retry_of"] is None


def test_a_call_that_is_not_there_is_not_found_on_every_path(stack, alice, order):
    order()
    gone = uuid.uuid4()
    for path in ("", "/transcript", "/actions", "/recording"):
        assert alice.get(f"/api/v1/calls/{gone}{path}", expect=404)["code"] == "call_not_found"
    for path, body in (("/cancel", {}), ("/retry", {}), ("/reschedule", {"scheduled_time": text(soon(hours=1))})):
        assert alice.post(f"/api/v1/calls/{gone}{path}", body, expect=404)["code"] == "call_not_found"
