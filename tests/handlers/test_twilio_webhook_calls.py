"""Calls that their assistant could not take: put through, or a message is taken, whatever comes first."""

import itertools

import pytest

from stack_hooks import Hooks, twilio_signature
from stack_twilio import CALLER, MOBILE, OURS, PATH, again, number_of, only_call, over, recording, sid, told, took, twiml, voice


@pytest.fixture
def hooks(stack):
    """Sends webhooks."""
    return Hooks(stack)


# ---- calls ------------------------------------------------------------------------------------


def test_most_calls_are_the_voice_providers_and_only_kept(stack, hooks, alice):
    number_of(stack, alice)
    assert took(hooks, "/status", over(sid("CA"))) == "kept"
    assert stack.count("calls") == 0 and stack.value("select organization_id::text from webhook_events") == str(alice.organization)


def test_a_message_is_taken_where_nobody_is_to_be_called(stack, hooks, alice):
    ours, one = number_of(stack, alice, forward_to=MOBILE, forward_when="never"), sid("CA")
    say, record, bye = twiml(hooks.twilio("/voice", voice(one)))
    assert (say.tag, record.tag, bye.tag) == ("Say", "Record", "Say") and "message" in say.text
    assert record.get("action") == record.get("recordingStatusCallback") == stack.url + PATH + "/voice/recording"
    assert record.get("maxLength") == "120"
    assert took(hooks, "/voice/recording", recording(one)) == "applied"
    assert took(hooks, "/voice/recording", recording(one, RecordingStatus="completed")) == "ignored"
    assert took(hooks, "/status", over(one)) == "applied"
    call = only_call(stack)
    assert (call.direction, call.status, call.ended_reason, str(call.phone_number_id), call.from_number, call.to_number, call.provider_type,
            call.provider_call_id, call.duration_seconds) == ("inbound", "completed", "assistant_down", ours, CALLER, OURS, "twilio", one, 30)
    assert stack.value("select recording_url from call_recordings") == "https://api.twilio.com/r/1"
    assert alice.get(f"/api/v1/calls/{call.id}/recording")["url"] == "https://api.twilio.com/r/1"
    assert [e["status"] for e in told(stack, "call.completed")] == ["completed"]
    assert stack.count("usage_entries") == 0 and stack.count("webhook_events", "state = 'waiting'") == 0
    assert stack.count("workflow_runs", "workflow = 'mail' and input ->> 'kind' = 'voice_message'") == 1
    stack.work()
    mail, = stack.sandbox.mails()
    assert CALLER in str(mail) and "9 seconds" in str(mail)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_a_message_and_the_end_in_any_order(stack, hooks, alice, order):
    number_of(stack, alice)
    one = sid("CA")
    hooks.twilio("/voice", voice(one))
    events = (("/voice/recording", recording(one)), ("/voice/recording", recording(one, RecordingStatus="completed")), ("/status", over(one)))
    for n in (*order, *order):
        hooks.twilio(*events[n])
    again(stack)
    call = only_call(stack)
    assert (call.status, call.ended_reason) == ("completed", "assistant_down") and stack.count("call_recordings") == 1
    assert len(told(stack, "call.completed")) == 1 and told(stack, "call.failed") == []
    assert stack.count("workflow_runs", "workflow = 'mail'") == 1 and stack.count("webhook_events", "state in ('waiting', 'failed')") == 0


def test_who_says_nothing_has_missed_it(stack, hooks, alice):
    number_of(stack, alice)
    one = sid("CA")
    hooks.twilio("/voice", voice(one))
    assert took(hooks, "/status", over(one, 3)) == "waiting", "a message may still be told of"
    again(stack)
    assert only_call(stack).status == "in-progress"
    stack.sql("update calls set ended_at = now() - interval '3 minutes'")
    again(stack)
    assert only_call(stack).status == "failed" and len(told(stack, "call.failed")) == 1
    assert set(hooks.states()) == {"applied"} and stack.count("workflow_runs", "workflow = 'mail'") == 0


def test_a_call_of_which_no_end_is_told_ends(stack, hooks, alice):
    number_of(stack, alice)
    hooks.twilio("/voice", voice(sid("CA")))
    again(stack)
    assert only_call(stack).status == "in-progress" and hooks.states() == ["waiting"]
    stack.sql("update calls set created_at = now() - interval '4 hours 10 minutes'")
    again(stack)
    assert only_call(stack).status == "failed" and hooks.states() == ["applied"]


@pytest.mark.parametrize("when", ["down", "always"])
def test_a_call_is_put_through(stack, hooks, alice, when):
    number_of(stack, alice, forward_to=MOBILE, forward_when=when)
    one = sid("CA")
    dial, = twiml(hooks.twilio("/voice", voice(one)))
    assert (dial.tag, dial.find("Number").text, dial.get("callerId"), dial.get("action")) == ("Dial", MOBILE, CALLER, stack.url + PATH + "/voice")
    assert [v.tag for v in twiml(hooks.twilio("/voice", voice(one)))] == ["Dial"], "who asks again is told the same"
    assert [v.tag for v in twiml(hooks.twilio("/voice", voice(one, DialCallStatus="completed")))] == ["Hangup"]
    assert took(hooks, "/status", over(one, 61)) == "applied"
    assert (only_call(stack).status, only_call(stack).duration_seconds) == ("completed", 61)


def test_who_does_not_answer_leaves_the_caller_with_the_message(stack, hooks, alice):
    number_of(stack, alice, forward_to=MOBILE)
    one = sid("CA")
    assert twiml(hooks.twilio("/voice", voice(one)))[0].tag == "Dial"
    for state in ("no-answer", "busy", "failed"):
        assert [v.tag for v in twiml(hooks.twilio("/voice", voice(one, DialCallStatus=state)))] == ["Say", "Record", "Say"]
    assert twiml(hooks.twilio("/voice", voice(sid("CA"), From=MOBILE)))[0].tag == "Say", "nobody is put through to himself"
    assert twiml(hooks.twilio("/voice", voice(sid("CA"), From="anonymous")))[0].get("callerId") == OURS


def test_calls_to_numbers_that_are_not_in_use_are_rejected(stack, hooks, alice):
    assert [v.tag for v in twiml(hooks.twilio("/voice", voice(sid("CA"))))] == ["Reject"]
    ident = number_of(stack, alice, forward_to=MOBILE)
    for change in ("status = 'paused', wanted = 'paused'", "status = 'released', wanted = 'released'", "status = 'lost', wanted = 'active'",
                   "status = 'active', wanted = 'paused'"):
        stack.sql(f"update phone_numbers set {change} where id = %s", ident)
        assert [v.tag for v in twiml(hooks.twilio("/voice", voice(sid("CA"))))] == ["Reject"], change
    stack.sql("update phone_numbers set status = 'active', wanted = 'active' where id = %s", ident)
    stack.sql("""update organizations set status_before = 'active', deletion_run = 'x', deleted_after = now() + interval '1 day'
                  where id = %s""", alice.organization)
    assert [v.tag for v in twiml(hooks.twilio("/voice", voice(sid("CA"))))] == ["Reject"]
    assert stack.count("calls") == 0


def test_addresses_in_twiml_are_escaped(stack, hooks, alice):
    number_of(stack, alice, forward_to=MOBILE)
    with stack.other_settings("twilio-webhook", TWILIO_WEBHOOK_URL="https://h.example.com/t&u='x'"):
        form, url = voice(sid("CA")), "https://h.example.com/t&u='x'/voice"
        signed = twilio_signature(stack.keys["twilio"], url, [*form.items(), ("AccountSid", "AC1")])
        dial, = twiml(hooks.twilio("/voice", form, signed))
        assert dial.get("action") == url


def test_the_sandboxs_call_in_need(stack, hooks, alice):
    number_of(stack, alice)
    stack.sandbox.twilio_number(OURS, account="AC1", voice_fallback_url=stack.url + PATH + "/voice", status_callback=stack.url + PATH + "/status")
    answer = stack.sandbox.twilio_call(OURS, CALLER, ask="fallback")
    assert answer["status"] == 200 and "<Record" in answer["answer"]
    stack.sandbox.twilio_call(OURS, CALLER, sid=answer["sid"], status="completed", duration=7)
    stack.sandbox.twilio_send(stack.url + PATH + "/voice/recording", {**recording(answer["sid"]), "AccountSid": "AC1"})
    again(stack)
    assert (only_call(stack).status, only_call(stack).duration_seconds) == ("completed", 7)
