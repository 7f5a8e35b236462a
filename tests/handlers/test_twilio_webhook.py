"""Twilio's webhook: proved by the address that Twilio was told and by each field; texts and calls end the same in any order."""

import itertools
import uuid
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest

from stack_client import Client, problem
from stack_hooks import Hooks, mac, twilio_signature
from stack_process import wait_until

OURS, CALLER, MOBILE = "+12025550100", "+15550100077", "+15550100088"
PATH = "/api/webhooks/twilio"


@pytest.fixture
def hooks(stack):
    """Sends webhooks."""
    return Hooks(stack)


def sid(kind="SM"):
    """An id as Twilio makes them."""
    return kind + uuid.uuid4().hex


def number_of(stack, who, number=OURS, **more):
    """A number of who's organization, bought and linked; answers its id."""
    row = {"organization_id": str(who.organization), "phone_number": number, "origin": "chosen", "status": "active", "provider_sid": sid("PN"),
           "capabilities": '{"voice": true, "SMS": true}', **more}
    return stack.value(f"insert into phone_numbers ({', '.join(row)}) values ({', '.join(['%s'] * len(row))}) returning id::text", *row.values())


def text(body, ident=None, sender=CALLER, to=OURS, **more):
    """The form of a text that comes in."""
    return {"MessageSid": ident or sid(), "From": sender, "To": to, "Body": body, "NumMedia": "0", "NumSegments": "1", **more}


def twiml(answer):
    """The answer as XML: the verbs."""
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "text/xml", answer.text
    root = ElementTree.fromstring(answer.content)
    assert root.tag == "Response"
    return list(root)


def took(hooks, tail, form):
    """It is taken; what became of it."""
    answer = hooks.twilio(tail, form)
    assert answer.status_code == (204 if tail in ("/status", "/message") else 200), answer.text
    assert answer.status_code == 204 or twiml(answer) == [] or tail == "/voice"
    return hooks.states("provider = 'twilio'")[-1]


def told(stack, kind):
    """The outgoing events of that kind."""
    return [row.data for row in stack.sql("select data from events where type = %s order by created_at, id", kind)]


def again(stack):
    """What waits is tried once more."""
    stack.sql("update webhook_events set try_at = now() where state in ('waiting', 'failed')")
    stack.pump()


# ---- who sent it ---------------------------------------------------------------------


def test_a_forged_or_changed_request_is_refused_and_leaves_nothing(stack, hooks, alice):
    number_of(stack, alice)
    form = text("Hello")
    pairs = [*form.items(), ("AccountSid", "AC1")]
    good = twilio_signature(stack.keys["twilio"], stack.url + PATH + "/sms", pairs)
    header = good["X-Twilio-Signature"]
    for headers in ({}, twilio_signature("wrong", stack.url + PATH + "/sms", pairs), twilio_signature("", stack.url + PATH + "/sms", pairs),
                    {"X-Twilio-Signature": ""}, {"X-Twilio-Signature": header[:-2] + "A="}, {"X-Twilio-Signature": header + " "[:0] + "x"},
                    {"X-Twilio-Signature": mac(stack.keys["twilio"], b"").hex()}, {"Authorization": header}):
        problem(hooks.twilio("/sms", form, headers), 401, "signature_invalid")
    for changed in ({**form, "Body": "Hello!"}, {**form, "Extra": "1"}, {k: v for k, v in form.items() if k != "NumMedia"}):
        problem(hooks.twilio("/sms", changed, good), 401, "signature_invalid")
    problem(hooks.twilio("/message", form, good), 401, "signature_invalid")
    problem(hooks.twilio("/sms?x=1", form, good), 401, "signature_invalid")
    assert stack.count("webhook_events") == stack.count("text_messages") == stack.count("webhook_event_keys") == 0
    assert twiml(hooks.twilio("/sms", form, good)) == [] and stack.count("text_messages") == 1


def test_another_account_is_refused_though_its_token_is_ours(stack, hooks, alice):
    number_of(stack, alice)
    for account in ("AC2", "ac1", None):
        problem(hooks.twilio("/sms", text("Hello"), account=account), 401, "signature_invalid")
    assert stack.count("webhook_events") == stack.count("text_messages") == 0


def test_the_address_is_the_one_of_the_settings_whatever_the_request_says(stack, hooks):
    form, token = {"CallSid": sid("CA"), "CallStatus": "completed"}, stack.keys["twilio"]
    pairs = [*form.items(), ("AccountSid", "AC1")]

    def send(url, **headers):
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return Client(stack.url, {**kind, **twilio_signature(token, url + "/status", pairs), **headers}).ask(
            "POST", PATH + "/status", urlencode(pairs).encode())
    evil = "https://evil.example.com"
    for headers in ({"Host": "evil.example.com"}, {"X-Forwarded-Host": "evil.example.com", "X-Forwarded-Proto": "https"},
                    {"Forwarded": "host=evil.example.com;proto=https"}):
        problem(send(evil + PATH, **headers), 401, "signature_invalid")
        problem(send(stack.url.replace("http:", "https:") + PATH, **headers), 401, "signature_invalid")
    assert send(stack.url + PATH, Host="evil.example.com").status_code == 204, "the header is not what is signed"
    with stack.other_settings("twilio-webhook", TWILIO_WEBHOOK_URL="https://hooks.example.com/t"):
        problem(send(stack.url + PATH), 401, "signature_invalid")
        for url in ("https://hooks.example.com/t", "https://hooks.example.com:443/t"):
            assert send(url).status_code == 204
        for url in ("http://hooks.example.com/t", "https://hooks.example.com:8443/t", "https://hooks.example.com:80/t"):
            problem(send(url), 401, "signature_invalid")
    with stack.other_settings("twilio-webhook", API_URL=None):
        problem(send(PATH), 401, "signature_invalid")
    assert stack.count("webhook_events") == 1


def test_while_a_token_is_changed_both_are_good_and_none_is_too_few(stack, hooks):
    url = stack.url + PATH + "/status"
    for tokens, good in (("new, old", ("new", "old")), ("", ()), (",", ())):
        with stack.other_settings("twilio-webhook", TWILIO_AUTH_TOKEN=tokens):
            for token in ("new", "old", "", "new, old"):
                form = {"CallSid": sid("CA"), "CallStatus": "completed"}
                answer = hooks.twilio("/status", form, twilio_signature(token, url, [*form.items(), ("AccountSid", "AC1")]))
                assert answer.status_code == (204 if token in good else 401), (tokens, token)
    with stack.other_settings("twilio-webhook", TWILIO_ACCOUNT_SID=None):
        problem(hooks.twilio("/status", {"CallSid": sid("CA"), "CallStatus": "completed"}), 401, "signature_invalid")


def test_a_replay_changes_nothing(stack, hooks, alice):
    number_of(stack, alice, sms_mode="forward", sms_forward_to=MOBILE)
    stop = text("STOP")
    for form in (text("Hello"), stop, text("START"), stop, stop):
        for _ in range(2):
            assert twiml(hooks.twilio("/sms", form)) == []
    assert stack.count("text_messages", "direction = 'inbound'") == 3 and stack.count("workflow_runs", "workflow = 'sms'") == 1
    assert stack.count("do_not_call") == 0, "an old STOP that comes again stops nothing"


def test_a_body_that_is_json_is_proved_by_its_hash_in_the_address(stack, hooks, alice):
    import hashlib
    import json
    number_of(stack, alice)
    body = json.dumps({**text("Hello \u00e9\U0001f44d", media=7), "AccountSid": "AC1"}).encode()

    def send(of, raw, tail="/sms"):
        path = f"{PATH}{tail}?bodySHA256={hashlib.sha256(of).hexdigest()}"
        return Client(stack.url, {"Content-Type": "application/json", **twilio_signature(stack.keys["twilio"], stack.url + path)}).ask("POST", path, raw)
    problem(send(body, body + b" "), 401, "signature_invalid")
    assert twiml(send(body, body)) == []
    assert stack.value("select body from text_messages") == "Hello \u00e9\U0001f44d"
    for odd in (b"{", b"[]", b'{"AccountSid":"AC2"}', b""):
        problem(send(odd, odd), 401, "signature_invalid")
    odd = b'{"AccountSid":"AC1","MessageSid":{"x":1}}'
    assert twiml(send(odd, odd)) == [] and hooks.states()[-1] == "unknown"


# ---- odd forms -------------------------------------------------------------------------


def test_odd_forms_are_refused_or_kept_and_never_a_fault_of_ours(stack, hooks, alice):
    number_of(stack, alice)
    url = stack.url + PATH + "/sms"
    problem(hooks.twilio("/sms", {"Body": "x" * 300 * 1024}), 413, "too_large")
    problem(hooks.twilio("/sms", [(f"F{n}", "x") for n in range(1200)]), 401, "signature_invalid")
    for raw in (b"", b"&&&", b"=", b"%", b"AccountSid", b"\xff\x00=%zz", b"{"):
        problem(hooks.twilio("/sms", {}, twilio_signature(stack.keys["twilio"], url), raw=raw), 401, "signature_invalid")
    for n, form in enumerate(({}, {"MessageSid": ""}, {"MessageSid": "../x"}, {"MessageSid": "S" * 65}, {"SmsStatus": "received", "Body": "x"})):
        assert took(hooks, "/sms", form) == "unknown", n
    for tail in ("/message", "/status"):
        for form in ({"MessageSid": "SM1", "CallSid": "CA1"}, {"MessageSid": "SM1", "CallSid": "CA1", "MessageStatus": "a b", "CallStatus": "\u00e9"}):
            assert took(hooks, tail, form) == "unknown"
    odd = text("a\x00b\u2028\ud7ff\U0010ffff", **{"MediaUrl0": "https://x/\"<&", "MediaContentType0": "image/png\x00", "\u00e9": "\x00"})
    assert took(hooks, "/sms", odd) == "applied"
    assert stack.value("select body from text_messages where provider_sid = %s", odd["MessageSid"]) == "a"
    assert took(hooks, "/sms", [*text("first").items(), ("Body", "second"), ("Body", "first")]) == "applied"
    assert stack.value("select body from text_messages order by created_at desc limit 1") == "first"
    assert took(hooks, "/sms", text("x" * 20000 + "\u00e9" * 5000)) == "applied"
    assert took(hooks, "/sms", text(None, NumSegments="many", sender="anonymous")) == "applied"


def test_text_that_is_no_utf8_is_taken(stack, hooks, alice):
    number_of(stack, alice)
    raw = b"AccountSid=AC1&MessageSid=SM7&To=%2B12025550100&From=%2B15550100077&Body=%FF%FEa"
    signed = mac(stack.keys["twilio"], (stack.url + PATH + "/sms").encode() + b"AccountSidAC1Body\xff\xfeaFrom+15550100077MessageSidSM7To+12025550100", "sha1")
    import base64
    assert twiml(hooks.twilio("/sms", {}, {"X-Twilio-Signature": base64.b64encode(signed).decode()}, raw=raw)) == []
    assert stack.value("select body from text_messages") == "\u00ff\u00fea"


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


# ---- calls ------------------------------------------------------------------------------------


def voice(ident, **more):
    """The form of a call in need."""
    return {"CallSid": ident, "From": CALLER, "To": OURS, "CallStatus": "ringing", "Direction": "inbound", **more}


def over(ident, seconds=30, state="completed"):
    """The form that tells its end."""
    return {"CallSid": ident, "From": CALLER, "To": OURS, "CallStatus": state, "CallDuration": seconds, "SequenceNumber": "0"}


def recording(ident, one="RE1", **more):
    """The form that tells what was said."""
    return {"CallSid": ident, "From": CALLER, "To": OURS, "RecordingSid": one, "RecordingUrl": "https://api.twilio.com/r/1", "RecordingDuration": "9", **more}


def only_call(stack):
    """The only call."""
    row, = stack.sql("select * from calls")
    return row


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


# ---- effects that fail ---------------------------------------------------------------------------


def test_an_effect_that_fails_is_kept_and_tried_again(stack, hooks, alice):
    number_of(stack, alice)
    stack.sql("create function broken() returns trigger language plpgsql as $$ begin raise exception 'the disk of texts is full'; end $$")
    stack.sql("create trigger zz_broken before insert on text_messages for each row execute function broken()")
    try:
        assert took(hooks, "/sms", text("STOP")) == "failed"
    finally:
        stack.sql("drop function broken() cascade")
    assert "disk of texts" in stack.value("select apply_error from webhook_events") and stack.count("do_not_call") == 0
    again(stack)
    assert hooks.states() == ["applied"] and stack.count("text_messages") == stack.count("do_not_call") == 1


def test_without_a_database_twilio_is_told_to_come_again(stack, hooks):
    stack.start_program("twilio-webhook", env={"DATABASE_URL": "postgresql:///none?host=/none"})
    answer = hooks.twilio("/sms", text("Hello"))
    assert answer.status_code in (500, 503) and int(answer.headers["Retry-After"]) >= 1
    stack.start_program("twilio-webhook")


def test_no_number_and_no_word_stands_in_a_log(stack, hooks, alice):
    number_of(stack, alice)
    took(hooks, "/sms", text("A secret word"))
    hooks.twilio("/voice", voice(sid("CA")))
    log = (stack.folder / "twilio-webhook.log").read_text()
    assert "5550100077" not in log and "secret word" not in log and stack.keys["twilio"] not in log


def test_the_same_through_plain_cgi(cgi_stack):
    hooks, alice = Hooks(cgi_stack), cgi_stack.user("alice")
    number_of(cgi_stack, alice)
    assert took(hooks, "/sms", text("Hello")) == "applied"
    problem(hooks.twilio("/sms", text("Hello"), {}), 401, "signature_invalid")
    assert twiml(hooks.twilio("/voice", voice(sid("CA"))))[0].tag == "Say"
