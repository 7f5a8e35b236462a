"""The sandbox has Vapi's assistants and phone numbers as Vapi has them, and misbehaves when told to."""
import pytest
import requests

from sandbox_helpers import fixture

NUMBER = fixture("vapi/phone-number.create-twilio.request")["number"]


def assistant(vapi, **own):
    """An assistant made from the recorded request, but for what is given."""
    made = vapi.ask("POST", "/assistant", json={**fixture("vapi/assistant.create.request"), **own})
    assert made.status_code == 201, made.text
    return made.json()


@pytest.fixture(name="owned")
def _owned(box):
    """The recorded number is at the sandbox's Twilio, where that has numbers."""
    def buy(number=NUMBER):
        form = {"PhoneNumber": number}
        auth = ("AC00000000000000000000000000000001", "test-auth-token-not-real")
        return requests.post(f"{box.twilio_url}/2010-04-01/Accounts/{auth[0]}/IncomingPhoneNumbers.json", data=form, auth=auth, timeout=20)
    return buy


def said(answer, status, part):
    """It is refused so, and the message has this in it."""
    assert answer.status_code == status, answer.text
    assert answer.json()["statusCode"] == status and part in str(answer.json()["message"])


def test_an_assistant_lives_as_it_was_recorded(box, vapi):
    made = assistant(vapi)
    recorded = fixture("vapi/assistant.create.response.201")
    own = {"id", "orgId", "createdAt", "updatedAt"}
    assert set(made) == set(recorded) and all(made[k] == recorded[k] for k in set(made) - own)
    changed = vapi.ask("PATCH", f"/assistant/{made['id']}", json=fixture("vapi/assistant.update.request"))
    assert changed.status_code == 200
    assert changed.json() == {**made, **fixture("vapi/assistant.update.request"), "updatedAt": changed.json()["updatedAt"]}
    assert vapi.ask("GET", f"/assistant/{made['id']}").json() == changed.json()
    newer = assistant(vapi, name="Newer")
    assert [a["name"] for a in vapi.ask("GET", "/assistant").json()] == ["Newer", "Front desk"]
    assert [a["id"] for a in vapi.ask("GET", "/assistant?limit=1").json()] == [newer["id"]]
    assert vapi.ask("GET", f"/assistant?createdAtGt={newer['createdAt'].replace('+', '%2B')}").json() == []
    gone = vapi.ask("DELETE", f"/assistant/{made['id']}")
    assert gone.status_code == 200 and gone.json() == changed.json()
    for method in ("GET", "PATCH", "DELETE"):
        said(vapi.ask(method, f"/assistant/{made['id']}", json={}), 404, "Does Not Exist")
    assert [a["id"] for a in box.vapi()["assistants"]] == [newer["id"]]
    assert box.vapi()["requests"]["assistant_delete"] == 2


@pytest.mark.parametrize("own,part", [
    ({"silenceTimeoutSeconds": 30}, "property silenceTimeoutSeconds should not exist"),
    ({"name": "x" * 41}, "name must be shorter"), ({"endCallMessage": "x" * 1001}, "endCallMessage must be shorter"),
    ({"endCallPhrases": ["x"]}, "endCallPhrases"), ({"maxDurationSeconds": 9}, "maxDurationSeconds must not be less"),
    ({"maxDurationSeconds": 43201}, "must not be greater"), ({"backgroundSound": "beach"}, "backgroundSound"),
    ({"voice": {"provider": "11labs"}}, "voice.voiceId"),
    ({"voice": {"provider": "11labs", "voiceId": "v", "stability": 2}}, "voice.stability"),
    ({"voice": {"provider": "11labs", "voiceId": "v", "similarity_boost": 1}}, "voice.property similarity_boost should not exist"),
    ({"voice": {"provider": "elevenlabs", "voiceId": "v"}}, "voice.provider"),
    ({"model": {"provider": "openai", "model": "gpt-4o", "temperature": 3}}, "model.temperature"),
    ({"model": {"provider": "nobody", "model": "m"}}, "model.provider"), ({"transcriber": {"provider": "x"}}, "transcriber.provider"),
    ({"server": {"url": "https://x.example.com", "secret": "s"}}, "secret should not exist"), ({"serverMessages": ["all"]}, "serverMessages"),
    ({"metadata": 1}, "metadata must be an object")])
def test_an_assistant_is_refused_what_the_real_one_refuses(box, vapi, own, part):
    said(vapi.ask("POST", "/assistant", json={**fixture("vapi/assistant.create.request"), **own}), 400, part)
    said(vapi.ask("PATCH", f"/assistant/{assistant(vapi)['id']}", json=own), 400, part)
    assert len(box.vapi()["assistants"]) == 1


def test_a_number_is_imported_once_linked_and_removed(box, vapi, owned):
    owned()
    made = assistant(vapi)
    body = {**fixture("vapi/phone-number.create-twilio.request"), "assistantId": made["id"]}
    answer = vapi.ask("POST", "/phone-number", json=body)
    assert answer.status_code == 201, answer.text
    assert set(fixture("vapi/phone-number.create-twilio.response.201")) <= set(answer.json())
    at = f"/phone-number/{answer.json()['id']}"
    said(vapi.ask("POST", "/phone-number", json=body), 400, "Existing Phone Number")
    unlinked = vapi.ask("PATCH", at, json={"provider": "twilio", "assistantId": None})
    assert unlinked.status_code == 200 and unlinked.json()["assistantId"] is None
    said(vapi.ask("PATCH", at, json={"provider": "twilio", "assistantId": "nobody"}), 400, "`assistantId` nobody Does Not Exist")
    assert [n["number"] for n in vapi.ask("GET", "/phone-number").json()] == [NUMBER] == [n["number"] for n in box.vapi()["phone_numbers"]]
    assert vapi.ask("GET", at).json()["assistantId"] is None
    assert vapi.ask("DELETE", at).status_code == 200
    said(vapi.ask("DELETE", at), 404, "Couldn't Get Phone Number")
    assert box.vapi()["imports"] == {NUMBER: 1} and box.vapi()["phone_numbers"] == []


@pytest.mark.parametrize("own,part", [
    ({"provider": "vonage"}, "provider must be"), ({"number": "0123"}, "E.164"), ({"twilioAccountSid": None}, "twilioAccountSid must be"),
    ({"secret": "x"}, "property secret"), ({"name": "x" * 41}, "name must be shorter"), ({"smsEnabled": "no"}, "smsEnabled"),
    ({"assistantId": "nobody"}, "Couldn't Get Assistant"), ({"server": {"url": "ftp://x"}}, "url must be a URL")])
def test_a_number_is_refused_what_the_real_one_refuses(box, vapi, owned, own, part):
    owned()
    body = {k: v for k, v in fixture("vapi/phone-number.create-twilio.request").items() if k != "assistantId"}
    said(vapi.ask("POST", "/phone-number", json={**body, **own}), 400, part)
    assert box.vapi()["phone_numbers"] == []


def test_a_bad_key_and_foreign_things(box, vapi):
    box.settings(vapi_keys=["good"])
    for path in ("/assistant", "/phone-number", "/assistant/x", "/phone-number/x"):
        said(vapi.ask("GET", path), 401, "Invalid Key")
    said(vapi.ask("GET", "/assistant/x", key="good"), 404, "Couldn't Get Assistant. `id` x Does Not Exist.")
    said(vapi.ask("GET", "/phone-number?limit=x", key="good"), 400, "limit must be")


def test_it_comes_into_the_list_as_late_as_is_asked_for(box, vapi):
    box.settings(list_lag=600)
    made = assistant(vapi)
    assert vapi.ask("GET", "/assistant").json() == [] and vapi.ask("GET", f"/assistant/{made['id']}").status_code == 200


@pytest.mark.parametrize("action,made", [({"status": 500}, 0), ({"status": 429, "headers": {"Retry-After": "1"}}, 0),
                                         ({"answer": "reset"}, 1), ({"answer": "cut"}, 1), ({"status": 500, "accept": True}, 1)])
def test_it_misbehaves_when_told_to(box, vapi, action, made):
    body = {**fixture("vapi/assistant.create.request"), "metadata": {"assistant_id": "ours"}}
    box.rule(action, provider="vapi", operation="assistant_create", type="other")
    box.rule(action, provider="vapi", operation="assistant_create", type="ours", times=1)
    try:
        assert vapi.ask("POST", "/assistant", json=body).status_code == action.get("status", 201)
    except requests.RequestException:
        assert "answer" in action
    assert box.vapi()["created"] == ({"ours": 1} if made else {})
    assert vapi.ask("POST", "/assistant", json=body).status_code == 201
    assert [r["fired"] for r in box.rules()] == [0, 1]
