"""The sandbox takes text messages as Twilio does, and misbehaves when told to."""
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
import requests

from sandbox_helpers import fixture, until

AT = "/2010-04-01/Accounts/AC1/Messages"
RECORDED = dict(parse_qsl((Path(__file__).parent / "fixtures/twilio/message.create.request.form").read_text()))
TO, TEXT = RECORDED["To"], RECORDED["Body"]


def send(box, auth=("AC1", "token"), timeout=20, **form):
    """POST Messages.json with the recorded form but for what is given."""
    form = {k: v for k, v in {**RECORDED, **form}.items() if v is not None}
    return requests.post(box.twilio_url + AT + ".json", data=form, auth=auth, timeout=timeout)


def listed(box, **query):
    """The answer of the list."""
    return requests.get(box.twilio_url + AT + ".json", params=query, auth=("AC1", "token"), timeout=20)


def says(answer, name):
    """The answer is the recorded error."""
    want = fixture("twilio/error." + name)
    assert answer.status_code == want["status"], answer.text
    assert answer.json()["code"] == want["code"] and set(answer.json()) == set(want)


def test_twilio_takes_the_recorded_request_and_answers_in_the_recorded_shape(box):
    made = send(box)
    assert made.status_code == 201 and set(made.json()) == set(fixture("twilio/message.create.response.201"))
    assert (made.json()["status"], made.json()["body"], made.json()["date_sent"]) == ("queued", TEXT, None)
    text, = box.texts(to=TO)
    assert (text["body"], text["from"]) == (TEXT, RECORDED["From"])
    at = f"{box.twilio_url}{AT}/{made.json()['sid']}.json"
    until(lambda: requests.get(at, auth=("AC1", "token"), timeout=20).json()["status"] == "delivered")
    shown = requests.get(at, auth=("AC1", "token"), timeout=20).json()
    assert set(shown) == set(fixture("twilio/message.get.delivered.response.200")) and shown["date_sent"]


def test_twilio_refuses_what_the_real_one_refuses(box):
    box.settings(twilio_opted_out=["+15550100009"], twilio_tokens=["token"])
    says(send(box, To="+1555"), "400.21211")
    says(send(box, To="+15550100009"), "400.21610")
    for auth in (("AC1", "other"), ("AC2", "token"), None):
        says(send(box, auth=auth), "401.20003")
    for form, code in (({"To": None}, 21604), ({"From": None}, 21603), ({"Body": None}, 21602),
                       ({"Body": "x" * 1601}, 21617), ({"From": "me"}, 21212)):
        assert send(box, **form).json()["code"] == code
    says(requests.get(f"{box.twilio_url}{AT}/SM1.json", auth=("AC1", "token"), timeout=20), "404.20404")
    says(requests.get(box.twilio_url + "/2010-04-01/Nothing.json", timeout=20), "404.20404")
    assert box.texts() == []


def test_the_list_has_the_newest_first_by_number_and_in_pages(box):
    for n in range(5):
        assert send(box, Body=f"text {n}").status_code == 201
    send(box, To="+15550100077", From=None, MessagingServiceSid="MG1")
    whole = listed(box, To=TO).json()
    assert [t["body"] for t in whole["messages"]] == [f"text {n}" for n in (4, 3, 2, 1, 0)]
    assert whole["next_page_uri"] is None
    first = listed(box, To=TO, PageSize=3).json()
    assert [t["body"] for t in first["messages"]] == ["text 4", "text 3", "text 2"]
    rest = requests.get(box.twilio_url + first["next_page_uri"], auth=("AC1", "token"), timeout=20).json()
    assert [t["body"] for t in rest["messages"]] == ["text 1", "text 0"] and rest["next_page_uri"] is None
    other, = listed(box, To="+15550100077").json()["messages"]
    assert other["messaging_service_sid"] == "MG1"
    until(lambda: len(listed(box, **{"DateSent>": "2026-01-01"}).json()["messages"]) == 6)
    assert listed(box, **{"DateSent<": "2026-01-01"}).json()["messages"] == []


def test_a_text_comes_into_the_list_as_late_as_is_asked_for(box):
    box.settings(list_lag=600)
    assert send(box).status_code == 201
    assert listed(box).json()["messages"] == [] and len(box.texts()) == 1


@pytest.mark.parametrize("action,sent", [({"status": 500}, 0), ({"status": 429}, 0), ({"answer": "reset"}, 1),
                                         ({"answer": "cut"}, 1), ({"status": 500, "accept": True}, 1)])
def test_it_misbehaves_when_told_to(box, action, sent):
    box.rule(action, provider="twilio", times=1)
    try:
        answer = send(box)
    except requests.RequestException:
        assert action == {"answer": "reset"}
    else:
        assert answer.status_code == action.get("status", 201)
        assert "answer" in action or set(answer.json()) == {"code", "message", "more_info", "status"}
    assert len(box.texts()) == sent
    assert send(box).status_code == 201
