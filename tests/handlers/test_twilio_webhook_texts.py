"""Texts through Twilio: what comes in is kept, told, forwarded and obeyed; what goes out ends the same in any order."""

import itertools

import pytest

from stack_hooks import Hooks
from stack_process import wait_until
from stack_twilio import CALLER, MOBILE, OURS, PATH, again, number_of, sid, text, told, took


@pytest.fixture
def hooks(stack):
    """Sends webhooks."""
    return Hooks(stack)


# ---- texts that come in ------------------------------------------------------------------


def test_a_text_to_a_number_is_kept_and_told(stack, hooks, alice, bob):
    ours = number_of(stack, alice)
    number_of(stack, bob, number="+12025550111")
    form = text("Are you open?", MediaUrl0="https://api.twilio.com/m/1", MediaContentType0="image/jpeg", NumMedia="1")
    assert took(hooks, "/sms", form) == "applied"
    one, = told(stack, "message.received")
    assert (one["organization_id"], one["phone_number_id"], one["direction"], one["from_number"], one["to_number"], one["body"], one["status"],
            one["keyword"], one["segments"]) == (str(alice.organization), ours, "inbound", CALLER, OURS, "Are you open?", "received", None, 1)
    assert one["media"] == [{"url": "https://api.twilio.com/m/1", "type": "image/jpeg"}]
    assert stack.value("select organization_id::text from webhook_events") == str(alice.organization)
    assert hooks.twilio("/sms", form).status_code == 200 and stack.count("text_messages") == 1


def test_a_text_to_nobodys_number_is_kept_and_counted(stack, hooks, alice):
    number_of(stack, alice, status="released", wanted="released")
    assert took(hooks, "/sms", text("STOP")) == "kept"
    assert stack.count("text_messages") == stack.count("do_not_call") == stack.count("events") == 0
    assert stack.value("select seen from webhook_counts where (provider, type) = ('twilio', 'nobody')") == 1


def test_stop_and_start_are_the_organizations_do_not_call_list(stack, hooks, alice, bob):
    number_of(stack, alice)
    other = number_of(stack, bob, number="+12025550111")
    for stop, start in zip((" stop ", "STOPALL", "Unsubscribe\r\n", "CANCEL", "end", "QUIT"), itertools.cycle(("START", "yes", "\tUnStop"))):
        took(hooks, "/sms", text(stop))
        assert [tuple(r) for r in stack.sql("select organization_id::text, phone_number, reason from do_not_call")] == [
            (str(alice.organization), CALLER, "sms_stop")], stop
        took(hooks, "/sms", text(stop))
        took(hooks, "/sms", text("START", to="+12025550111"))
        assert stack.count("do_not_call") == 1
        took(hooks, "/sms", text(start))
        assert stack.count("do_not_call") == 0, start
    for word in ("stop it", "STOP.", "no", "", "s top", "help", "INFO"):
        took(hooks, "/sms", text(word))
        assert stack.count("do_not_call") == 0, word
    out, back = told(stack, "message.opted_out"), told(stack, "message.opted_in")
    assert len(out) == len(back) == 6 and {e["phone_number"] for e in out + back} == {CALLER}
    assert {e["organization_id"] for e in out + back} == {str(alice.organization)} and other
    words = [r.keyword for r in stack.sql("select keyword from text_messages where to_number = %s and keyword is distinct from 'stop'"
                                          " and keyword is distinct from 'start' order by created_at", OURS)]
    assert words == [None] * 5 + ["help", "help"]


def test_start_takes_nothing_back_that_a_person_has_written(stack, hooks, alice):
    number_of(stack, alice)
    stack.sql("insert into do_not_call (organization_id, phone_number, reason) values (%s, %s, 'asked on the phone')", alice.organization, CALLER)
    took(hooks, "/sms", text("STOP"))
    took(hooks, "/sms", text("START"))
    assert stack.value("select reason from do_not_call") == "asked on the phone" and told(stack, "message.opted_in") == []


def test_who_said_stop_is_neither_texted_nor_called(stack, hooks, alice):
    number_of(stack, alice)
    took(hooks, "/sms", text("STOP"))
    assert stack.value("select sms_send('one', %s, 'Hello', %s, %s)", CALLER, alice.organization, OURS)
    stack.work()
    assert stack.sandbox.texts() == []
    only, = stack.sql("select status, error_code from text_messages where direction = 'outbound'")
    assert tuple(only) == ("canceled", "do_not_call") and told(stack, "message.updated")[0]["error_code"] == "do_not_call"


def test_texts_are_forwarded_from_the_number_itself(stack, hooks, alice):
    number_of(stack, alice, sms_mode="forward", sms_forward_to=MOBILE)
    for form in (text("Are you <open>?"), text("", NumMedia="1", MediaUrl0="https://x/1"), text("STOP"), text("mine", sender=MOBILE)):
        took(hooks, "/sms", form)
    stack.work()
    assert sorted((t["from"], t["to"], t["body"]) for t in stack.sandbox.texts()) == [
        (OURS, MOBILE, f"From {CALLER}:  (attachments: 1)"), (OURS, MOBILE, f"From {CALLER}: Are you <open>?")]


def test_not_everything_that_strangers_send_is_paid_for(stack, hooks, alice):
    number = number_of(stack, alice, sms_mode="forward", sms_forward_to=MOBILE)
    stack.sql("select rate_take_all(array['sms forward ' || %s], array[120000000]::bigint[], array[100]::bigint[]) from generate_series(1, 99)", str(number))
    for body in ("One", "Two"):
        took(hooks, "/sms", text(body))
    assert stack.value("select array_agg(body) from text_messages where direction = 'outbound'") == [f"From {CALLER}: One"]
    assert stack.count("text_messages", "direction = 'inbound'") == 2


def test_two_numbers_that_forward_to_each_other_do_not_go_round(stack, hooks, alice, bob):
    other = "+12025550111"
    number_of(stack, alice, sms_mode="forward", sms_forward_to=other)
    number_of(stack, bob, number=other, sms_mode="forward", sms_forward_to=OURS)
    took(hooks, "/sms", text("Hello"))
    took(hooks, "/sms", text("Hello", sender=OURS, to=other))
    assert stack.count("workflow_runs", "workflow = 'sms'") == 0 and stack.count("text_messages") == 2


def test_a_number_that_takes_no_texts_still_hears_stop(stack, hooks, alice):
    number_of(stack, alice, sms_mode="ignore")
    assert [took(hooks, "/sms", text(t)) for t in ("Hello", "STOP")] == ["ignored", "ignored"]
    assert stack.count("text_messages") == 0 and stack.value("select reason from do_not_call") == "sms_stop"
    assert told(stack, "message.received") == [] and len(told(stack, "message.opted_out")) == 1


# ---- texts that go out ---------------------------------------------------------------------


def sent(stack, who, ident="one"):
    """A text that Twilio has taken, of which it tells nothing by itself; its SID."""
    stack.sandbox.rule({"lose": True}, provider="twilio", operation="webhook")
    assert stack.value("select sms_send(%s, %s, 'Hello', %s)", ident, CALLER, who.organization)
    stack.work()
    return stack.value("select provider_sid from text_messages where run_id = 'sms:' || %s", ident)


def status(stack):
    """What became of the only text."""
    row, = stack.sql("select status, error_code from text_messages where direction = 'outbound'")
    return tuple(row)


@pytest.mark.parametrize("order", list(itertools.permutations(("sending", "sent", "delivered"))), ids="-".join)
def test_what_became_of_a_text_is_right_in_any_order(stack, hooks, alice, order):
    one = sent(stack, alice)
    for word in (*order, *order):
        assert hooks.twilio("/message", {"MessageSid": one, "MessageStatus": word, "SmsSid": one, "SmsStatus": word}).status_code == 204
    assert status(stack) == ("delivered", None)
    assert [e["status"] for e in told(stack, "message.updated")] == ["delivered"]
    assert set(hooks.states()) <= {"applied", "ignored"} and len(hooks.states()) == 3


def test_the_first_end_of_a_text_is_its_end(stack, hooks, alice):
    one = sent(stack, alice)
    for word, code in (("undelivered", "30003"), ("delivered", "0"), ("failed", "30008"), ("sent", "0"), ("odd-word", "1")):
        hooks.twilio("/message", {"MessageSid": one, "MessageStatus": word, "ErrorCode": code})
    assert status(stack) == ("undelivered", "30003") and [e["error_code"] for e in told(stack, "message.updated")] == ["30003"]
    assert hooks.states() == ["applied", "ignored", "ignored", "ignored", "unknown"]


def test_a_status_that_comes_before_the_answer_is_not_lost(stack, hooks, alice):
    stack.sandbox.rule({"lose": True}, provider="twilio", operation="webhook")
    stack.sandbox.rule({"answer": "reset"}, provider="twilio", operation="create", times=1)
    stack.value("select sms_send('one', %s, 'Hello', %s)", CALLER, alice.organization)
    stack.work()
    one, = stack.sandbox.texts()
    assert stack.value("select provider_sid from text_messages") is None
    assert took(hooks, "/message", {"MessageSid": one["sid"], "MessageStatus": "sent"}) == "waiting"
    assert took(hooks, "/message", {"MessageSid": one["sid"], "MessageStatus": "delivered"}) == "waiting"
    stack.sql("update workflow_runs set due_at = now() where due_at is not null")
    stack.sql("update workflow_steps set due_at = now() where due_at is not null")
    stack.work()
    assert status(stack) == ("delivered", None) and stack.count("webhook_events", "state = 'waiting'") == 0


def test_a_text_that_nobody_knows_waits_and_is_given_up(stack, hooks):
    assert took(hooks, "/message", {"MessageSid": sid(), "MessageStatus": "sent"}) == "waiting"
    stack.sql("update webhook_events set received_at = now() - interval '25 hours'")
    again(stack)
    assert hooks.states() == ["unmatched"]


def test_while_a_token_is_changed_the_first_is_sent(stack, alice):
    stack.value("select sms_send('one', %s, 'Hello', %s)", CALLER, alice.organization)
    stack.work(env={"TWILIO_AUTH_TOKEN": f"{stack.keys['twilio']}, other"})
    assert len(stack.sandbox.texts()) == 1


def test_what_was_never_sent_says_so(stack, hooks, alice):
    stack.sandbox.settings(twilio_opted_out=[CALLER])
    stack.value("select sms_send('one', %s, 'Hello', %s)", CALLER, alice.organization)
    stack.work()
    assert status(stack) == ("failed", "twilio_21610") and [e["status"] for e in told(stack, "message.updated")] == ["failed"]


def test_only_numbers_that_an_organization_has_now_are_senders(stack, alice, bob):
    number_of(stack, alice)
    number_of(stack, alice, number="+12025550122", status="paused", wanted="paused")
    number_of(stack, alice, number="+12025550133", capabilities='{"voice": true, "sms": false}')
    for who, number, good in ((alice, OURS, True), (bob, OURS, False), (alice, "+12025550122", False), (alice, "+12025550133", False),
                              (alice, "+12025550144", False)):
        assert stack.value("select sms_send(%s, %s, 'Hello', %s, %s)", sid(), CALLER, who.organization, number) is good, number
    stack.work()
    one, = stack.sandbox.texts()
    assert one["from"] == OURS and stack.count("text_messages") == 1


def test_end_to_end_with_twilios_own_pace(stack, alice):
    """Asked for, sent, told of by signed callbacks; and a text that comes back."""
    number_of(stack, alice)
    stack.sandbox.twilio_number(OURS, account="AC1", sms_url=stack.url + PATH + "/sms")
    assert stack.value("select sms_send('one', %s, 'Hello', %s, %s)", "+15550100050", alice.organization, OURS)
    assert stack.value("select sms_send('two', %s, 'Hello', %s, %s)", CALLER, alice.organization, OURS)
    stack.work()
    wait_until(lambda: stack.count("text_messages", "status in ('undelivered', 'delivered')") == 2, what="both ends")
    assert sorted((r.to_number, r.status, r.error_code) for r in stack.sql("select to_number, status, error_code from text_messages")) == [
        ("+15550100050", "undelivered", "30003"), (CALLER, "delivered", None)]
    answer = stack.sandbox.twilio_sms(OURS, CALLER, "Thank you")
    assert answer["status"] == 200
    wait_until(lambda: len(told(stack, "message.received")) == 1, what="the text")
    stack.sandbox.idle()
    assert stack.count("webhook_events", "state in ('failed', 'unknown')") == 0
