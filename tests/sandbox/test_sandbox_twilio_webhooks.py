"""What the sandbox's Twilio tells, and how it signs it."""
import base64
import hashlib
import hmac
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
import requests

from sandbox_helpers import fixture, until
from twilio_base import signature

AUTH = ("AC1", "token")
OURS, THEIRS = "+15550100001", "+15557001234"


def forms(receiver):
    """The forms that came, with their headers."""
    return [(headers, dict(parse_qsl(raw.decode(), keep_blank_values=True))) for headers, raw, _ in receiver.got]


def proof(token, url, form):
    """Twilio's rule, written down once more."""
    text = url + "".join(k + form[k] for k in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def text(box, receiver, to=THEIRS):
    """Send a text whose life is told."""
    made = requests.post(f"{box.twilio_url}/2010-04-01/Accounts/AC1/Messages.json", auth=AUTH, timeout=20,
                         data={"To": to, "From": OURS, "Body": "Hello", "StatusCallback": receiver.url + "?org=42&x=%2B1"})
    assert made.status_code == 201
    box.idle()
    return made.json()["sid"]


@pytest.mark.parametrize("to,states,error", [
    (THEIRS, ["queued", "sent", "delivered"], None), ("+15557000050", ["queued", "sent", "undelivered"], 30003),
    ("+15557000051", ["queued", "failed"], 30008), ("+15557000052", ["queued", "sent"], None),
    ("+15557000053", ["queued", "sent", "undelivered"], 30006), ("+15557000054", ["queued"], None)])
def test_the_life_of_a_text_is_told_as_its_number_says(box, receiver, to, states, error):
    sid = text(box, receiver, to)
    told = [form for _, form in forms(receiver)]
    assert [form["MessageStatus"] for form in told] == states
    for form in told:
        want = set(fixture(f"twilio/webhook.message.status.{form['MessageStatus']}"))
        assert set(form) - {"RawDlrDoneDate"} == want - {"RawDlrDoneDate"} and form["MessageSid"] == form["SmsSid"] == sid
    assert told[-1].get("ErrorCode") == (str(error) if error else None)
    at = f"{box.twilio_url}/2010-04-01/Accounts/AC1/Messages/{sid}.json"
    until(lambda: requests.get(at, auth=AUTH, timeout=20).json()["status"] == states[-1])
    assert requests.get(at, auth=AUTH, timeout=20).json()["error_code"] == error


def test_all_is_signed_over_the_address_as_it_was_told(box, receiver):
    box.settings(twilio_tokens=["token", "older"])
    text(box, receiver)
    for headers, form in forms(receiver):
        assert headers["X-Twilio-Signature"] == proof("token", receiver.url + "?org=42&x=%2B1", form)
    box.settings(twilio_signing_token="older")
    receiver.got.clear()
    box.twilio_send(receiver.url + "#rc=2", {"B": "2", "A": "", "a": "é"})
    (headers, form), = forms(receiver)
    assert form == {"B": "2", "A": "", "a": "é"} and headers["X-Twilio-Signature"] == proof("older", receiver.url, form)
    assert signature("https://x/", {"A": ["2", "1", "2"]}, "t") == proof("t", "https://x/", {"A": "1A2"})


def test_rules_spoil_signatures_and_lose_what_is_told(box, receiver):
    box.settings(twilio_tokens=["token"])
    box.rule({"sign": "wrong"}, provider="twilio", operation="webhook", times=1)
    box.rule({"lose": True}, provider="twilio", operation="webhook", type="message-status:sent")
    text(box, receiver)
    (first, one), (last, other) = forms(receiver)
    assert first["X-Twilio-Signature"] != proof("token", receiver.url + "?org=42&x=%2B1", one)
    assert last["X-Twilio-Signature"] == proof("token", receiver.url + "?org=42&x=%2B1", other)
    assert [one["MessageStatus"], other["MessageStatus"]] == ["queued", "delivered"]
    receiver.got.clear()
    box.rule({"order": "reverse"}, provider="twilio", operation="webhook", number="+15557001299")
    text(box, receiver, "+15557001299")
    until(lambda: len(receiver.got) == 2)
    assert [form["MessageStatus"] for _, form in forms(receiver)] == ["delivered", "queued"]


def test_a_text_comes_in(box, receiver):
    box.twilio_number(OURS, account="AC1", sms_url=receiver.url)
    sent = box.twilio_sms(OURS, THEIRS, "STOP")
    recorded = dict(parse_qsl((Path(__file__).parent / "fixtures/twilio/webhook.message.incoming.form").read_text().strip(), keep_blank_values=True))
    (_, form), = forms(receiver)
    assert set(form) == set(recorded) and (sent["status"], sent["answer"]) == (200, "{}")
    assert (form["From"], form["To"], form["Body"], form["MessageSid"]) == (THEIRS, OURS, "STOP", sent["sid"])
    refused = requests.post(f"{box.twilio_url}/2010-04-01/Accounts/AC1/Messages.json", auth=AUTH, timeout=20,
                            data={"To": THEIRS, "From": OURS, "Body": "Hello"})
    assert refused.json()["code"] == 21610
    box.twilio_sms(OURS, THEIRS, "start", media=["https://media.example.com/1"])
    assert forms(receiver)[-1][1]["MediaUrl0"] == "https://media.example.com/1"
    text(box, receiver)
    again = box.twilio_sms(OURS, THEIRS, "STOP", sid=sent["sid"])
    assert again["sid"] == sent["sid"] and len(again["deliveries"]) == 2


@pytest.mark.parametrize("status", ["completed", "busy", "no-answer", "failed", "canceled"])
def test_the_end_of_a_call_is_told(box, receiver, status):
    box.twilio_number(OURS, account="AC1", status_callback=receiver.url)
    sent = box.twilio_call(OURS, THEIRS, status=status)
    (_, form), = forms(receiver)
    assert set(form) ^ set(fixture(f"twilio/webhook.voice.status.{status}")) <= {"SipResponseCode"}
    assert (form["CallStatus"], form["CallSid"], form["To"]) == (status, sent["sid"], OURS)


def test_a_call_that_finds_nobody_asks_the_fallback(box, receiver):
    box.twilio_number(OURS, account="AC1", voice_fallback_url=receiver.url, voice_url="https://api.vapi.example.com/x")
    sent = box.twilio_call(OURS, THEIRS, ask="fallback")
    (_, form), = forms(receiver)
    assert set(form) - set(fixture("twilio/webhook.voice.incoming")) == {"ErrorCode", "ErrorUrl"} and sent["answer"] == "{}"
    assert box.twilio_call(OURS, THEIRS)["deliveries"] == []
