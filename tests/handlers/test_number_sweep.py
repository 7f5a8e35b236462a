"""The workflow "number-sweep": what Twilio and Vapi have against what we have; what differs is found, mended, released or declared lost, and nothing
is believed of a list that is not whole."""

import os

import pytest
from stack_numbers import ACCOUNT, API, KEY, TOKEN, Numbers

OPEN = "select provider, kind, external_id from number_differences where resolved_at is null order by 1, 2, 3"


@pytest.fixture(scope="module")
def numbers_of_file(tmp_path_factory):
    """The engine with the workflows of numbers."""
    if not os.environ.get("HOOKSWITCH_TEST_DATABASE_URL"):
        pytest.skip("no cluster for tests at hand (./dev test makes one)")
    with Numbers(tmp_path_factory.mktemp("sweep")) as running:
        yield running


@pytest.fixture
def numbers(numbers_of_file):
    """Nobody has a number yet; what differs is mended and released."""
    numbers_of_file.reset()
    numbers_of_file.sql("update number_policy set enabled = true, share_percent = 0, orphans = 'release', drift = 'mend'")
    return numbers_of_file


def sweep(numbers, state="done"):
    """A sweep, and what it has started; what still differs."""
    run = f"number-sweep:{numbers.count('workflow_runs')}"
    numbers.sql("select work_start(%s, 'number-sweep')", run)

    def over():
        numbers.hurry(("number-sweep",))
        return numbers.value("select state from workflow_runs where id = %s", run) in ("done", "failed")

    numbers.work(over)
    assert numbers.value("select state from workflow_runs where id = %s", run) == state
    assert state != "done" or numbers.count("number_sweep_items") == 0
    return differs(numbers)


def differs(numbers):
    """What differs still."""
    return [tuple(row) for row in numbers.sql(OPEN)]


def resolved(numbers):
    """What differed, and what was done about it."""
    return {(row[0], row[1], row[2]) for row in numbers.sql("select provider, kind, action from number_differences where resolved_at is not null")}


def bought(numbers):
    """An organization with a number; the two."""
    whose = numbers.organization()
    n = numbers.brought(numbers.make(whose))
    assert n["status"] == "active", n
    return whose, n


def gone(numbers, n):
    """The number's row vanishes with all that was under way, as after a deletion or an older backup."""
    numbers.sql("delete from workflow_runs where workflow = 'phone-number'")
    numbers.sql("delete from phone_numbers where id = %s", n["id"])


def old(numbers):
    """What Vapi has is as old as it says."""
    there = [{**one, "createdAt": "2026-01-01T00:00:00.000Z"} for one in numbers.sandbox.vapi()["phone_numbers"]]
    numbers.sandbox.rule({"status": 200, "body": there}, provider="vapi", operation="number_list", times=1)


def test_what_agrees_is_not_spoken_of(numbers):
    _, n = bought(numbers)
    assert sweep(numbers) == [] and numbers.count("number_differences") == 0
    assert numbers.number(n["id"])["updated_at"] == n["updated_at"]
    assert numbers.value("select seen from webhook_counts where (provider, type) = ('numbers', 'swept')") == 1


def test_a_number_that_was_bought_and_forgotten_is_released_by_the_second_sweep(numbers):
    whose = numbers.organization()
    numbers.sandbox.rule({"status": 500, "accept": True}, provider="twilio", operation="buy")
    numbers.sandbox.rule({"status": 503}, provider="twilio", operation="list_numbers", times=2)
    n = numbers.number(numbers.make(whose))
    numbers.work(lambda: numbers.sandbox.twilio()["purchases"])
    (e164, there), = numbers.at_twilio().items()
    assert there["friendly_name"] == f"hookswitch:{n['id']}"
    gone(numbers, n)
    numbers.sandbox.clear_rules()
    orphan = [("twilio", "orphan", there["sid"])]
    assert sweep(numbers) == orphan and sweep(numbers) == orphan, "a young one is left alone"
    numbers.sandbox.twilio_number(e164, age=7200)
    numbers.sql("delete from number_differences")
    assert sweep(numbers) == orphan and list(numbers.at_twilio()) == [e164], "one that was seen once, too"
    numbers.sandbox.rule({"answer": "reset"}, provider="twilio", operation="release", times=1)
    assert sweep(numbers) == [] and numbers.at_twilio() == {}
    assert resolved(numbers) == {("twilio", "orphan", "released")} and numbers.sandbox.twilio()["releases"] == {e164: 1}


def test_where_orphans_are_only_shown_none_is_released(numbers):
    _, n = bought(numbers)
    gone(numbers, n)
    numbers.sandbox.twilio_number(n["phone_number"], age=7200)
    for policy in ((True, "show"), (False, "release")):
        numbers.sql("update number_policy set enabled = %s, orphans = %s", *policy)
        for _ in range(2):
            assert ("twilio", "orphan", n["provider_sid"]) in sweep(numbers)
    assert list(numbers.at_twilio()) == [n["phone_number"]]


def test_a_number_whose_run_is_under_way_is_no_orphan(numbers):
    whose = numbers.organization()
    numbers.sandbox.rule({"status": 500, "accept": True}, provider="twilio", operation="buy", times=1)
    numbers.sandbox.rule({"status": 503}, provider="twilio", operation="list_numbers", number_regex=".")
    ident = numbers.make(whose)
    numbers.work(lambda: numbers.sandbox.twilio()["purchases"])
    assert sweep(numbers) == [] and numbers.count("number_differences") == 0
    numbers.sandbox.clear_rules()
    assert numbers.brought(ident)["status"] == "active" and set(numbers.sandbox.twilio()["purchases"].values()) == {1}


def test_what_is_not_ours_is_only_shown(numbers):
    _, n = bought(numbers)
    numbers.sandbox.twilio_number("+15550100001", account=ACCOUNT, friendly_name="front door", age=7200)
    other = numbers.sandbox.twilio_number("+15550100002", account=ACCOUNT, friendly_name="hookswitch:0b7b0a4e-8f4c-4d6e-9f33-0123456789ab",
                                          sms_url="https://other.example.com/sms", age=7200)
    made = numbers.sandbox.http.post(f"{numbers.sandbox.url}/vapi/phone-number", timeout=60, headers={"Authorization": f"Bearer {KEY}"}, json={
        "provider": "twilio", "number": "+15550100001", "twilioAccountSid": ACCOUNT, "twilioAuthToken": TOKEN, "name": "front door"})
    assert made.status_code == 201, made.text
    for _ in range(3):
        assert [(provider, kind) for provider, kind, _ in sweep(numbers)] == [("twilio", "stranger"), ("twilio", "stranger"), ("vapi", "stranger")]
    assert numbers.value("select seen from number_differences where external_id = %s", other["sid"]) == 3
    assert set(numbers.at_twilio()) == {n["phone_number"], "+15550100001", "+15550100002"} and numbers.sandbox.twilio()["releases"] == {}


def test_what_somebody_has_set_otherwise_is_set_again(numbers):
    whose, n = bought(numbers)
    e164 = n["phone_number"]
    numbers.sandbox.twilio_number(e164, sms_url="https://elsewhere.example.com/", friendly_name="mine")
    linked = numbers.at_vapi()[e164]
    answer = numbers.sandbox.http.patch(f"{numbers.sandbox.url}/vapi/phone-number/{linked['id']}", timeout=60, headers={"Authorization": f"Bearer {KEY}"}, json={
        "provider": "twilio", "assistantId": None, "server": {"url": "https://elsewhere.example.com/"}})
    assert answer.status_code == 200, answer.text
    sweep(numbers)
    numbers.work(numbers.settled)
    there, linked = numbers.at_twilio()[e164], numbers.at_vapi()[e164]
    assert (there["sms_url"], there["friendly_name"]) == (f"{API}/api/webhooks/twilio/sms", f"hookswitch:{n['id']}")
    assert (linked["assistantId"], linked["server"]["url"]) == (whose["vapi"], f"{API}/api/webhooks/vapi/{whose['id']}")
    assert sweep(numbers) == [] and ("twilio", "drift", "sync") in resolved(numbers)


def test_a_paused_number_that_somebody_has_linked_is_unlinked(numbers):
    whose, n = bought(numbers)
    numbers.want(n["id"], "paused")
    assert numbers.brought(n["id"])["status"] == "paused"
    numbers.sandbox.http.patch(f"{numbers.sandbox.url}/vapi/phone-number/{n['voice_number_id']}", timeout=60,
                               headers={"Authorization": f"Bearer {KEY}"}, json={"provider": "twilio", "assistantId": whose["vapi"]})
    sweep(numbers)
    numbers.work(numbers.settled)
    assert numbers.at_vapi()[n["phone_number"]]["assistantId"] is None
    assert sweep(numbers) == [] and numbers.number(n["id"])["status"] == "paused"


def test_what_shall_only_be_shown_is_not_mended(numbers):
    _, n = bought(numbers)
    numbers.sql("update number_policy set drift = 'show'")
    numbers.sandbox.twilio_number(n["phone_number"], sms_url="https://elsewhere.example.com/")
    assert sweep(numbers) == [("twilio", "drift", n["provider_sid"])] == sweep(numbers)
    row = numbers.sql("select ours, theirs, seen, action from number_differences")[0]
    assert (row[0], row[1]) == ({"sms_url": f"{API}/api/webhooks/twilio/sms"}, {"sms_url": "https://elsewhere.example.com/"})
    assert (row[2], row[3]) == (2, None)


def test_a_number_that_twilio_took_back_is_lost(numbers):
    whose, n = bought(numbers)
    numbers.sandbox.twilio_number(n["phone_number"], take_back=True)
    sweep(numbers)
    row = numbers.number(n["id"])
    assert (row["status"], row["release_reason"], row["run_id"]) == ("lost", "taken_back", None)
    assert numbers.told(whose)[-1] == "number.lost" and ("lost", "failed", "taken_back") in numbers.logged(n["id"])
    assert ("twilio", "lost", "lost") in resolved(numbers)
    # What Vapi has of it is an orphan now.
    old(numbers)
    sweep(numbers)
    old(numbers)
    assert sweep(numbers) == [] and numbers.at_vapi() == {}
    assert ("vapi", "orphan", "released") in resolved(numbers)


def test_what_vapi_has_lost_is_imported_and_made_anew(numbers):
    _, n = bought(numbers)
    numbers.sandbox.http.delete(f"{numbers.sandbox.url}/vapi/phone-number/{n['voice_number_id']}", timeout=60, headers={"Authorization": f"Bearer {KEY}"})
    sweep(numbers)
    row = numbers.brought(n["id"])
    assert row["status"] == "active" and row["voice_number_id"] == numbers.at_vapi()[n["phone_number"]]["id"] != n["voice_number_id"]
    assert sweep(numbers) == [] and ("vapi", "lost", "made_anew") in resolved(numbers)


@pytest.mark.parametrize("action", [{"status": 500}, {"status": 429}, {"answer": "cut"}, {"answer": "cut-complete"}, {"answer": "html"}, {"answer": "empty"},
                                    {"answer": "array"}, {"status": 200, "body": {"incoming_phone_numbers": []}}, {"status": 404, "body": "no"}])
def test_a_list_that_is_not_whole_proves_nothing(numbers, action):
    _, n = bought(numbers)
    numbers.sandbox.rule(action, provider="twilio", operation="list_numbers", times=2)
    assert sweep(numbers) == [] and numbers.count("number_differences") == 0
    assert numbers.number(n["id"])["status"] == "active"


def test_a_list_that_lags_loses_no_number(numbers):
    _, n = bought(numbers)
    empty = {"incoming_phone_numbers": [], "next_page_uri": None}
    for provider, operation, body in (("twilio", "list_numbers", empty), ("vapi", "number_list", [])):
        numbers.sandbox.rule({"status": 200, "body": body}, provider=provider, operation=operation, times=1)
    assert sweep(numbers) == []
    row = numbers.number(n["id"])
    assert (row["status"], row["voice_number_id"]) == ("active", n["voice_number_id"])
    assert resolved(numbers) == {("twilio", "lost", None), ("vapi", "lost", None)}
    # Nor does a look that is refused, or that somebody on the way answers.
    numbers.sandbox.rule({"status": 200, "body": empty}, provider="twilio", operation="list_numbers", times=1)
    numbers.sandbox.rule({"status": 404, "body": "<html>"}, provider="twilio", operation="get_number", nth=1)
    numbers.sandbox.rule(numbers.sandbox.twilio_refusal(20001), provider="twilio", operation="get_number", nth=2)
    assert sweep(numbers) == [("twilio", "lost", n["provider_sid"])]
    assert numbers.number(n["id"])["status"] == "active" and sweep(numbers) == []


def test_pages_that_go_on_are_read_to_their_end(numbers):
    _, n = bought(numbers)
    uri = f"/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers.json?PageSize=500&Page=1&PageToken=PAx"
    first = {"incoming_phone_numbers": [{"sid": "PN" + "0" * 32, "phone_number": "+15550100003", "friendly_name": "x"}], "next_page_uri": uri}
    second = {"incoming_phone_numbers": [{"sid": n["provider_sid"], "phone_number": n["phone_number"], "friendly_name": f"hookswitch:{n['id']}",
                                          "sms_url": f"{API}/api/webhooks/twilio/sms", "status_callback": f"{API}/api/webhooks/twilio/status",
                                          "voice_fallback_url": f"{API}/api/webhooks/twilio/voice"}], "next_page_uri": None}
    for nth, body in ((1, first), (2, second)):
        numbers.sandbox.rule({"status": 200, "body": body}, provider="twilio", operation="list_numbers", nth=nth)
    assert sweep(numbers) == [("twilio", "stranger", "PN" + "0" * 32)]
    # The place to go on from has gone: the list begins anew, but not for ever.
    numbers.sandbox.clear_rules()
    numbers.sandbox.rule({"status": 200, "body": first}, provider="twilio", operation="list_numbers", nth=1)
    numbers.sandbox.rule(numbers.sandbox.twilio_refusal(20404, 404), provider="twilio", operation="list_numbers", nth=2)
    assert sweep(numbers) == [] and numbers.number(n["id"])["status"] == "active"


def test_another_database_or_account_loses_and_releases_nothing(numbers):
    whose = numbers.organization("enterprise")
    for n in range(11):
        numbers.sql("""insert into phone_numbers (organization_id, phone_number, provider_sid, status, origin)
            values (%s, %s, %s, 'active', 'automatic')""", whose["id"], f"+1415555{2000 + n}", f"PN{n:032x}")
        numbers.sandbox.twilio_number(f"+1617555{1000 + n}", account=ACCOUNT, age=7200, friendly_name=f"hookswitch:0b7b0a4e-8f4c-4d6e-9f33-{n:012x}")
    for _ in range(2):
        found = sweep(numbers)
        assert ("twilio", "lost", "twilio") in found and len(found) == 12
    assert len(numbers.at_twilio()) == 11 and numbers.count("phone_numbers", "status = 'active'") == 11
