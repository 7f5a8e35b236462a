"""The sandbox sells numbers as Twilio does."""
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
import requests

from sandbox_helpers import fixture, until

ACCOUNT = "/2010-04-01/Accounts/AC1/"
AUTH = ("AC1", "token")


def ask(box, method, path, auth=AUTH, **more):
    """Any request."""
    return requests.request(method, box.twilio_url + (path if path.startswith("/") else ACCOUNT + path), auth=auth, timeout=20, **more)


def search(box, kind="US/Local", **query):
    """The numbers that a search finds."""
    got = ask(box, "GET", f"AvailablePhoneNumbers/{kind}.json", params=query)
    assert got.status_code == 200, got.text
    return got.json()["available_phone_numbers"]


def buy(box, kind="", auth=AUTH, **form):
    """POST IncomingPhoneNumbers.json."""
    return ask(box, "POST", f"IncomingPhoneNumbers{kind}.json", auth=auth, data=form)


def listed(box, **query):
    """The answer of the list."""
    return ask(box, "GET", "IncomingPhoneNumbers.json", params=query).json()


def code(answer):
    """Status and code of a refusal in the recorded shape."""
    assert set(answer.json()) == set(fixture("twilio/error.404.20404")) and answer.json()["status"] == answer.status_code, answer.text
    return answer.status_code, answer.json()["code"]


# ---- what can be had ---------------------------------------------------------


@pytest.mark.parametrize("kind,recorded", [("US/Local", "available.local"), ("US/TollFree", "available.tollfree")])
def test_a_search_answers_in_the_recorded_shape(box, kind, recorded):
    want = fixture(f"twilio/{recorded}.response.200")["available_phone_numbers"][0]
    found = search(box, kind)
    assert len(found) == 50 and all(set(one) == set(want) for one in found)
    assert {k: type(v) for k, v in found[0].items()} == {k: type(v) for k, v in want.items()}
    assert set(found[0]["capabilities"]) == set(want["capabilities"])
    box.settings(twilio_capitals=True)
    assert set(search(box, kind)[0]["capabilities"]) == {"voice", "SMS", "MMS", "fax"}


@pytest.mark.parametrize("query,holds", [
    ({"AreaCode": "212"}, lambda n: n["phone_number"].startswith("+1212")),
    ({"InRegion": "CA", "InLocality": "Oakland"}, lambda n: n["locality"] == "Oakland"),
    ({"InPostalCode": "10001"}, lambda n: n["postal_code"] == "10001"),
    ({"InRateCenter": "CHICAGO", "InLata": "224"}, lambda n: n["locality"] == "Chicago"),
    ({"Contains": "2125551*5*"}, lambda n: n["phone_number"][:8] == "+1212555" and n["phone_number"][-2] == "5"),
    ({"Contains": "+1510"}, lambda n: n["phone_number"].startswith("+1510")),
    ({"Contains": "%155$"}, lambda n: n["phone_number"].endswith("155")),
    ({"Contains": "JKL"}, lambda n: "555" in n["phone_number"]),
    ({"SmsEnabled": "false"}, lambda n: not n["capabilities"]["sms"]),
    ({"SmsEnabled": "true", "MmsEnabled": "true", "VoiceEnabled": "true"}, lambda n: n["capabilities"]["mms"]),
    ({"NearLatLong": "37.78,-122.42", "Distance": "5"}, lambda n: n["locality"] == "San Francisco"),
])
def test_each_filter_finds_what_it_says_and_nothing_else(box, query, holds):
    every = {n["phone_number"]: n for page in range(4) for n in search(box, PageSize=1000, Page=page)}
    assert len(every) == 4000
    want = {number for number, n in every.items() if holds(n)}
    got = {n["phone_number"] for page in range(4) for n in search(box, PageSize=1000, Page=page, **query)}
    assert got == want and 0 < len(want), (len(got), len(want))


def test_what_cannot_be_looked_for_is_refused_and_what_is_not_there_is_an_empty_list(box):
    assert search(box, AreaCode="999") == [] and search(box, FaxEnabled="true") == []
    for query, want in (({"AreaCode": "99"}, 21451), ({"AreaCode": "123"}, 21451), ({"Contains": "5"}, 22101), ({"Contains": "*5*"}, 22102),
                        ({"Contains": "5-5"}, 22101), ({"PageSize": "0"}, 20001), ({"PageSize": "many"}, 20001)):
        assert code(ask(box, "GET", "AvailablePhoneNumbers/US/Local.json", params=query)) == (400, want), query
    assert code(ask(box, "GET", "AvailablePhoneNumbers/US/Mobile.json")) == (404, 20404)
    assert code(ask(box, "GET", "AvailablePhoneNumbers/XX/Local.json")) == (404, 20404)
    assert search(box, "GB/Mobile") and search(box, "CA/Local", AreaCode="416")
    box.settings(twilio_stock=1)
    assert len(search(box)) == 1
    box.settings(twilio_stock=["+12125551000"])
    assert [n["phone_number"] for n in search(box)] == ["+12125551000"]


def test_the_stock_is_always_the_same_unless_it_turns(box):
    first = search(box)
    assert search(box) == first
    box.settings(twilio_turns=True)
    assert search(box) != search(box)


# ---- numbers of an account ---------------------------------------------------


def test_a_number_is_bought_changed_and_released_in_the_recorded_shapes(box):
    number = search(box)[0]["phone_number"]
    form = dict(parse_qsl((Path(__file__).parent / "fixtures/twilio/incoming.create.request.form").read_text().strip()))
    made = buy(box, **{**form, "PhoneNumber": number})
    assert made.status_code == 201 and set(made.json()) == set(fixture("twilio/incoming.create.response.201"))
    shown = made.json()
    assert (shown["phone_number"], shown["friendly_name"], shown["voice_url"]) == (number, form["FriendlyName"], form["VoiceUrl"])
    assert number not in [n["phone_number"] for n in search(box)]
    path = f"IncomingPhoneNumbers/{shown['sid']}.json"
    assert ask(box, "GET", path).json() == shown
    changed = ask(box, "POST", path, data={"SmsUrl": "", "FriendlyName": "other"})
    assert changed.status_code == 200 and (changed.json()["sms_url"], changed.json()["friendly_name"]) == ("", "other")
    assert changed.json()["voice_url"] == form["VoiceUrl"]
    gone = ask(box, "DELETE", path)
    assert (gone.status_code, gone.content) == (204, b"")
    for method in ("GET", "POST", "DELETE"):
        assert code(ask(box, method, path)) == (404, 20404)
    assert number in [n["phone_number"] for n in search(box)]
    seen = box.twilio()
    assert (seen["numbers"], seen["purchases"], seen["releases"]) == ([], {number: 1}, {number: 1})
    assert (seen["requests"]["buy"], seen["requests"]["release"], seen["requests"]["update"]) == (1, 2, 2)


def test_what_cannot_be_bought_is_refused_with_twilios_codes(box):
    box.settings(twilio_tokens=["token"])
    number = search(box, AreaCode="212")[0]["phone_number"]
    assert buy(box, PhoneNumber="+15550100001").status_code == 201
    assert buy(box, PhoneNumber="+15550100001").json() == fixture("twilio/error.400.21422")
    assert code(buy(box, PhoneNumber="+15550100009")) == (400, 21422)
    assert buy(box, PhoneNumber="555").json() == fixture("twilio/error.400.21421")
    assert code(buy(box)) == (400, 21421) and code(buy(box, AreaCode="12")) == (400, 21451)
    assert code(buy(box, AreaCode="999")) == (400, 21452)
    assert code(buy(box, "/Local", AreaCode="212")) == (400, 21457)
    assert code(buy(box, PhoneNumber=number, SmsUrl="nowhere")) == (400, 21402)
    assert code(buy(box, PhoneNumber=number, auth=("AC1", "other"))) == (401, 20003)
    assert code(buy(box, PhoneNumber=number, auth=("AC2", "token"))) == (401, 20003)
    assert buy(box, PhoneNumber=number).status_code == 201
    assert code(buy(box, PhoneNumber=number)) == (400, 21422)
    assert buy(box, AreaCode="212").json()["phone_number"].startswith("+1212")
    assert buy(box, "/Local", PhoneNumber=search(box)[0]["phone_number"]).status_code == 201
    box.settings(twilio_numbers_limit=4)
    assert code(buy(box, AreaCode="212")) == (400, 21404)
    addressed = next(n["phone_number"] for n in search(box, "GB/Local", PageSize=1000) if n["address_requirements"] == "local")
    box.settings(twilio_numbers_limit=None)
    assert code(buy(box, PhoneNumber=addressed)) == (400, 21631)
    assert buy(box, PhoneNumber=addressed, AddressSid="AD" + "0" * 32).status_code == 201
    assert len(search(box, "GB/Local", PageSize=1000, ExcludeAllAddressRequired="true")) < 400


def test_the_list_pages_and_is_narrowed_and_lags(box):
    assert {k for k in listed(box)} == set(fixture("twilio/incoming.list.last-page.response.200"))
    for n in range(5):
        assert buy(box, AreaCode="212", FriendlyName=f"one {n}").status_code == 201
    whole = listed(box)["incoming_phone_numbers"]
    assert [n["friendly_name"] for n in whole] == [f"one {n}" for n in range(5)]
    first = listed(box, PageSize=2)
    assert set(first) == set(fixture("twilio/incoming.list.response.200"))
    # What goes away while somebody reads moves nothing from one page to another.
    ask(box, "DELETE", f"IncomingPhoneNumbers/{whole[0]['sid']}.json")
    second = ask(box, "GET", first["next_page_uri"]).json()
    third = ask(box, "GET", second["next_page_uri"]).json()
    assert [n["sid"] for part in (first, second, third) for n in part["incoming_phone_numbers"]] == [n["sid"] for n in whole]
    assert third["next_page_uri"] is None
    assert [n["sid"] for n in listed(box, PhoneNumber=whole[3]["phone_number"])["incoming_phone_numbers"]] == [whole[3]["sid"]]
    assert [n["sid"] for n in listed(box, FriendlyName="one 4")["incoming_phone_numbers"]] == [whole[4]["sid"]]
    assert listed(box, PhoneNumber="+19995550000")["incoming_phone_numbers"] == []
    assert requests.get(f"{box.twilio_url}/2010-04-01/Accounts/AC2/IncomingPhoneNumbers.json", auth=("AC2", "token"),
                        timeout=20).json()["incoming_phone_numbers"] == []
    box.settings(list_lag=600)
    late = buy(box, AreaCode="212").json()
    assert len(listed(box)["incoming_phone_numbers"]) == 4
    assert ask(box, "GET", f"IncomingPhoneNumbers/{late['sid']}.json").status_code == 200


def test_a_thousand_are_bought_and_no_two_are_the_same(box):
    bought = set()
    while len(bought) < 1000:
        found = search(box, PageSize=1000)
        bought |= {buy(box, PhoneNumber=n["phone_number"]).json()["sid"] for n in found[:500]}
    assert set(box.twilio()["purchases"].values()) == {1} and len(box.twilio()["numbers"]) == 1000


@pytest.mark.parametrize("action,bought", [({"status": 500}, 0), ({"status": 500, "accept": True}, 1), ({"answer": "reset"}, 1),
                                           ({"answer": "cut"}, 1), ({"answer": "missing-id"}, 1), ({"status": 429}, 0)])
def test_a_purchase_misbehaves_when_told_to(box, action, bought):
    number = search(box)[0]["phone_number"]
    box.rule(action, provider="twilio", operation="buy", number=number, times=1)
    try:
        answer = buy(box, PhoneNumber=number)
    except requests.RequestException:
        assert action == {"answer": "reset"}
    else:
        assert answer.status_code == action.get("status", 201)
        assert action != {"status": 429} or answer.json() == fixture("twilio/error.429.20429")
        assert action != {"answer": "missing-id"} or "sid" not in answer.json()
    assert box.twilio()["purchases"] == ({number: 1} if bought else {})
    assert buy(box, PhoneNumber=number).status_code == (400 if bought else 201)


def test_each_operation_has_its_rule(box):
    one = buy(box, AreaCode="212").json()
    at = f"IncomingPhoneNumbers/{one['sid']}.json"
    for operation, method, path in (("search", "GET", "AvailablePhoneNumbers/US/Local.json"), ("list_numbers", "GET", "IncomingPhoneNumbers.json"),
                                    ("get_number", "GET", at), ("update", "POST", at), ("release", "DELETE", at),
                                    ("buy", "POST", "IncomingPhoneNumbers.json"), ("call", "POST", "Calls.json"),
                                    ("create", "POST", "Messages.json")):
        box.rule(box.twilio_refusal(20429, 429), provider="twilio", operation=operation, times=1)
        assert code(ask(box, method, path)) == (429, 20429), operation
    assert len(box.twilio()["numbers"]) == 1


def test_a_number_is_taken_back_and_strangers_come(box):
    one = buy(box, AreaCode="212").json()
    assert box.twilio_number(one["phone_number"], take_back=True) == {"taken": True}
    assert box.twilio_number(one["phone_number"], take_back=True) == {"taken": False}
    assert code(ask(box, "GET", f"IncomingPhoneNumbers/{one['sid']}.json")) == (404, 20404)
    made = box.twilio_number("+15550100001", account="AC1", friendly_name="by hand")
    shown = ask(box, "GET", f"IncomingPhoneNumbers/{made['sid']}.json").json()
    assert (shown["friendly_name"], shown["phone_number"]) == ("by hand", "+15550100001")
    box.twilio_number("+15550100001", sms_url="https://elsewhere.example.com/")
    assert listed(box)["incoming_phone_numbers"][0]["sms_url"] == "https://elsewhere.example.com/"
    assert box.twilio()["purchases"] == {one["phone_number"]: 1}
    box.reset()
    assert box.twilio() == {"numbers": [], "purchases": {}, "releases": {}, "requests": {}, "calls": 0}


def test_a_call_says_something_and_ends(box, receiver):
    one = buy(box, AreaCode="212").json()
    form = {"To": "+15557001234", "From": one["phone_number"], "Twiml": "<Response><Say>4 7 1 1</Say></Response>", "StatusCallback": receiver.url}
    made = ask(box, "POST", "Calls.json", data=form)
    assert made.status_code == 201 and set(made.json()) == set(fixture("twilio/call.get.response.200"))
    assert made.json()["status"] == "queued"
    at = f"Calls/{made.json()['sid']}.json"
    until(lambda: ask(box, "GET", at).json()["status"] == "completed")
    call, = box.twilio_calls(to="+15557001234")
    assert call["twiml"] == form["Twiml"]
    until(lambda: len(receiver.got) == 1)
    busy = ask(box, "POST", "Calls.json", data={**form, "To": "+15557000001"}).json()
    until(lambda: ask(box, "GET", f"Calls/{busy['sid']}.json").json()["status"] == "busy")
    assert [c["sid"] for c in ask(box, "GET", "Calls.json", params={"Status": "busy"}).json()["calls"]] == [busy["sid"]]
    for wrong, want in (({"To": "1"}, 21211), ({"From": "1"}, 21212), ({"To": ""}, 21201), ({"From": ""}, 21213), ({"Twiml": ""}, 21205)):
        assert code(ask(box, "POST", "Calls.json", data={**form, **wrong})) == (400, want)
