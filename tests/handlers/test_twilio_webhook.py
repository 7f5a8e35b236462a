"""Twilio's webhook: proved by the address that Twilio was told and by each field, and never a fault of ours."""

import base64
import hashlib
import json
from urllib.parse import urlencode

import pytest

from stack_client import Client, problem
from stack_hooks import Hooks, mac, twilio_signature
from stack_twilio import MOBILE, PATH, again, number_of, sid, text, took, twiml, voice


@pytest.fixture
def hooks(stack):
    """Sends webhooks."""
    return Hooks(stack)


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
    assert twiml(hooks.twilio("/sms", {}, {"X-Twilio-Signature": base64.b64encode(signed).decode()}, raw=raw)) == []
    assert stack.value("select body from text_messages") == "\u00ff\u00fea"


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
