"""Calls that come in to the sandbox's Vapi: who is asked, what the answer does, and what is told of them."""
import json

import pytest
import requests

from sandbox_helpers import Receiver, fixture, until

NUMBER = fixture("vapi/phone-number.create-twilio.request")["number"]
LIFE = ["status-update:ringing", "status-update:in-progress", "status-update:ended", "end-of-call-report"]


@pytest.fixture(name="line")
def _line(box, vapi, receiver):
    """line(**own): the recorded number, imported, whose server is the receiver."""
    def make(**own):
        auth = ("AC00000000000000000000000000000001", "test-auth-token-not-real")
        requests.post(f"{box.twilio_url}/2010-04-01/Accounts/{auth[0]}/IncomingPhoneNumbers.json", data={"PhoneNumber": NUMBER}, auth=auth, timeout=20)
        body = {k: v for k, v in fixture("vapi/phone-number.create-twilio.request").items() if k != "assistantId"}
        made = vapi.ask("POST", "/phone-number", json={**body, "server": {"url": receiver.url, "headers": {"X-Vapi-Secret": "of the number"}}, **own})
        assert made.status_code == 201, made.text
        return made.json()
    return make


def assistant(vapi, url, **own):
    """An assistant with a server of its own."""
    return vapi.ask("POST", "/assistant", json={"name": "Front desk", "server": {"url": url, "headers": {"X-Vapi-Secret": "of the assistant"}},
                                                "serverMessages": ["status-update", "end-of-call-report"], **own}).json()["id"]


def reason(box, ident):
    """How a call ended."""
    box.idle()
    return next(c["ended_reason"] for c in box.calls() if c["id"] == ident)


def test_a_number_with_an_assistant_rings_and_its_server_is_told(box, vapi, receiver, line):
    number = line(assistantId=assistant(vapi, receiver.url))
    ident = box.vapi_call(NUMBER, "+15550100077")
    assert reason(box, ident) == "assistant-ended-call"
    assert receiver.kinds() == LIFE and {h["X-Vapi-Secret"] for h, _, _ in receiver.got} == {"of the assistant"}
    for message in receiver.messages():
        assert (message["call"]["type"], message["call"]["phoneNumberId"]) == ("inboundPhoneCall", number["id"])
        assert message["phoneNumber"]["number"] == NUMBER and message["customer"] == {"number": "+15550100077"}
    shown = vapi.ask("GET", f"/call/{ident}").json()
    assert shown["type"] == "inboundPhoneCall" and shown["endedReason"] == "assistant-ended-call"
    assert box.dials()["dials"] == 0 and box.dials()["max_live"]["vapi"] == 1 and box.dials()["live"]["vapi"] == 0


@pytest.mark.parametrize("answer,reason_given,kinds", [
    ({"error": "Not now."}, "assistant-request-returned-error", LIFE[2:]),
    ({"error": ""}, "assistant-request-returned-unspeakable-error", LIFE[2:]),
    ({"destination": {"type": "number", "number": "+15550100009"}}, "assistant-request-returned-forwarding-phone-number", LIFE[2:]),
    ({"assistantId": "nobody"}, "assistant-request-returned-invalid-assistant", LIFE[2:]),
    ({"assistant": {"name": "Inline"}}, "assistant-ended-call", LIFE),
    ({}, "assistant-request-returned-no-assistant", LIFE[2:]), ([], "assistant-request-failed", LIFE[2:])])
def test_without_one_the_numbers_server_decides(box, receiver, line, answer, reason_given, kinds):
    line()
    receiver.said = json.dumps(answer).encode()
    assert reason(box, box.vapi_call(NUMBER)) == reason_given
    told = [k for k in receiver.kinds() if k.partition(":")[0] in ("assistant-request", "status-update", "end-of-call-report")]
    assert told == ["assistant-request", *kinds]
    assert receiver.got[0][0]["X-Vapi-Secret"] == "of the number" and receiver.messages()[0]["call"]["status"] == "ringing"


def test_an_assistant_that_was_named_takes_it(box, vapi, receiver, line):
    line()
    own = Receiver()
    try:
        receiver.said = json.dumps({"assistantId": assistant(vapi, own.url)}).encode()
        assert reason(box, box.vapi_call(NUMBER, outcome="customer-ended", talk_seconds=75)) == "customer-ended-call"
        assert receiver.kinds() == ["assistant-request"] and own.kinds() == LIFE
        assert own.messages()[-1]["durationSeconds"] == 75
    finally:
        own.server.shutdown()
        own.server.server_close()


def test_a_server_that_fails_leaves_the_caller_alone(box, receiver, line):
    line()
    receiver.answers = [500]
    assert reason(box, box.vapi_call(NUMBER)) == "assistant-request-failed"
    box.rule({"lose": True}, provider="vapi", operation="webhook", type="assistant-request")
    assert reason(box, box.vapi_call(NUMBER)) == "assistant-request-failed"
    assert requests.post(f"{box.url}/_sandbox/vapi/call", json={"to": "+15550100999"}, timeout=20).status_code == 404


def test_a_question_can_be_held_repeated_and_sent_again(box, vapi, receiver, line):
    line()
    receiver.said = json.dumps({"assistantId": assistant(vapi, receiver.url)}).encode()
    with box.holding("before", {"copies": 2}, provider="vapi", operation="webhook", type="assistant-request"):
        ident = box.vapi_call(NUMBER, stuck=True)
        until(box.held)
        assert receiver.kinds() == []
    until(lambda: "status-update:in-progress" in receiver.kinds())
    control = vapi.ask("GET", f"/call/{ident}").json()["monitor"]["controlUrl"]
    assert requests.post(control, json={"type": "end-call"}, timeout=20).status_code == 200
    assert reason(box, ident) == "manually-canceled"
    assert receiver.kinds()[:2] == ["assistant-request"] * 2
    assert box.resend(call_id=ident, types=["assistant-request"])["sent"] == 1
    assert receiver.kinds().count("assistant-request") == 3
