"""A number is brought to what it shall be: bought once, linked, paused, resumed and given back, whatever Twilio and Vapi answer or do not answer."""

import os

import pytest

from stack_numbers import API, Numbers


@pytest.fixture(scope="module")
def numbers_of_file(tmp_path_factory):
    """The engine with the workflows of numbers."""
    if not os.environ.get("HOOKSWITCH_TEST_DATABASE_URL"):
        pytest.skip("no cluster for tests at hand (./dev test makes one)")
    with Numbers(tmp_path_factory.mktemp("numbers")) as running:
        yield running


@pytest.fixture
def numbers(numbers_of_file):
    """Nobody has a number yet."""
    numbers_of_file.reset()
    return numbers_of_file


def test_a_number_is_bought_and_linked(numbers):
    whose = numbers.organization()
    n = numbers.brought(numbers.make(whose))
    assert (n["status"], n["run_id"], n["linked_assistant"], n["assistant_id"]) == ("active", None, whose["vapi"], str(whose["assistant"])), n
    there, linked = numbers.at_twilio()[n["phone_number"]], numbers.at_vapi()[n["phone_number"]]
    assert (there["sid"], there["friendly_name"]) == (n["provider_sid"], f"hookswitch:{n['id']}")
    assert (there["sms_url"], there["status_callback"]) == (f"{API}/api/webhooks/twilio/sms", f"{API}/api/webhooks/twilio/status")
    assert (linked["id"], linked["assistantId"], linked["smsEnabled"]) == (n["voice_number_id"], whose["vapi"], False)
    assert linked["server"]["url"] == f"{API}/api/webhooks/vapi/{whose['id']}" and linked["server"]["headers"]["X-Vapi-Secret"]
    assert numbers.told(whose) == ["number.purchased", "number.active"]
    assert numbers.logged(n["id"]) == [("search", "noted", None), ("buy", "noted", None), ("link", "noted", None), ("commit", "noted", None),
                                       ("provision", "completed", None)]


def test_a_number_that_was_chosen_is_bought_or_not_at_all(numbers):
    whose = numbers.organization()
    free = numbers.offered()
    n = numbers.brought(numbers.make(whose, phone_number=free[3]))
    assert (n["status"], n["phone_number"], n["origin"]) == ("active", free[3], "chosen")
    numbers.sandbox.rule(numbers.sandbox.twilio_refusal(21422), provider="twilio", operation="buy", number=free[4])
    n = numbers.brought(numbers.make(whose, phone_number=free[4]))
    assert (n["status"], n["release_reason"], n["last_error"]) == ("failed", "number_not_available", "twilio_21422")
    assert free[4] not in numbers.at_twilio() and numbers.told(whose)[-1] == "number.failed"


def test_the_next_number_is_tried_when_somebody_else_was_faster(numbers):
    whose = numbers.organization()
    free = numbers.offered()
    numbers.sandbox.rule(numbers.sandbox.twilio_refusal(21422), provider="twilio", operation="buy", times=2)
    n = numbers.brought(numbers.make(whose))
    assert (n["status"], n["tried"], n["phone_number"]) == ("active", free[:2], free[2])
    assert list(numbers.at_twilio()) == [free[2]]
    assert [x for x in numbers.logged(n["id"]) if x[0] == "buy"] == [("buy", "noted", "twilio_21422")] * 2 + [("buy", "noted", None)]


LOST = [(operation, how, accept) for operation in ("buy", "number_create") for how in ({"answer": "reset"}, {"answer": "cut"}, {"status": 500})
        for accept in (True, False)]


@pytest.mark.parametrize(("operation", "how", "accept"), [("buy", {"answer": "hang"}, True), *LOST])
def test_an_answer_that_is_lost_buys_and_imports_nothing_twice(numbers, operation, how, accept):
    whose = numbers.organization()
    numbers.sandbox.rule({**how, "accept": accept}, provider="twilio" if operation == "buy" else "vapi", operation=operation, times=1)
    n = numbers.brought(numbers.make(whose))
    assert n["status"] == "active" and n["tried"] == [], n
    assert list(numbers.at_twilio()) == [n["phone_number"]] == list(numbers.at_vapi())
    assert numbers.twilio()["purchases"] == {n["phone_number"]: 1} and numbers.twilio()["releases"] == {}


@pytest.mark.parametrize("chosen", [False, True])
def test_what_was_bought_is_found_although_lists_show_it_later(numbers, chosen):
    """The answer to its purchase is lost, as is that to its import; for seconds neither is in a list, and asking again is refused."""
    numbers.sandbox.settings(list_lag=3)
    whose = numbers.organization()
    numbers.sandbox.rule({"answer": "reset", "accept": True}, provider="twilio", operation="buy", times=1)
    numbers.sandbox.rule({"answer": "reset", "accept": True}, provider="vapi", operation="number_create", times=1)
    n = numbers.brought(numbers.make(whose, **({"phone_number": numbers.offered()[3]} if chosen else {})))
    assert (n["status"], n["tried"], n["asked"]) == ("active", [], 0), n
    assert list(numbers.at_twilio()) == [n["phone_number"]] == list(numbers.at_vapi())
    assert numbers.twilio()["purchases"] == {n["phone_number"]: 1} and numbers.twilio()["releases"] == {}


@pytest.mark.parametrize("wanted", ["released", "paused"])
def test_what_was_bought_and_is_not_wanted_any_more_is_not_forgotten_before_lists_show_it(numbers, wanted):
    numbers.sandbox.settings(list_lag=3)
    whose = numbers.organization()
    numbers.sandbox.rule({"hold": "before", "answer": "reset", "accept": True}, provider="twilio", operation="buy", times=1)
    ident = numbers.make(whose)
    numbers.during(numbers.held, lambda: (numbers.want(ident, wanted, "canceled"), numbers.sandbox.release()))
    n = numbers.number(ident)
    assert n["status"] == wanted
    assert list(numbers.at_twilio()) == ([n["phone_number"]] if wanted == "paused" else []) and numbers.twilio()["purchases"] == {n["phone_number"]: 1}


@pytest.mark.parametrize("wanted", ["active", "released"])
def test_a_run_that_is_a_dead_letter_forgets_no_purchase(numbers, wanted):
    whose = numbers.organization()
    numbers.sandbox.rule({"hold": "after", "answer": "reset"}, provider="twilio", operation="buy", times=1)
    ident = numbers.make(whose)

    def dies():
        numbers.want(ident, wanted)
        numbers.sql("update workflow_runs set state = 'failed', due_at = null, finished_at = now() where workflow = 'phone-number'")
        numbers.sandbox.release()
        numbers.sql("select work_start('provision-catchup:test', 'provision-catchup')")
    numbers.during(numbers.held, dies)
    n = numbers.number(ident)
    assert (n["status"], n["run_id"]) == (wanted, None), n
    assert list(numbers.at_twilio()) == ([n["phone_number"]] if wanted == "active" else []) and numbers.twilio()["purchases"] == {n["phone_number"]: 1}


@pytest.mark.parametrize("wanted", ["released", "paused"])
def test_what_is_refused_while_something_else_is_wanted_changes_nothing_of_that(numbers, wanted):
    whose = numbers.organization()
    ident = numbers.make(whose)
    numbers.brought(ident)
    numbers.sandbox.rule({"hold": "before", "status": 400}, provider="vapi", operation="number_update", times=1)
    numbers.sql("select number_sync(%s)", ident)
    numbers.during(numbers.held, lambda: (numbers.want(ident, wanted, "canceled"), numbers.sandbox.release()))
    assert numbers.number(ident)["status"] == wanted


def test_a_change_that_was_made_while_another_was_refused_is_told(numbers):
    whose = numbers.organization()
    ident = numbers.make(whose)
    numbers.brought(ident)
    numbers.sandbox.rule({"hold": "before", "status": 400}, provider="vapi", operation="number_update", times=1)
    numbers.sql("select number_sync(%s)", ident)
    numbers.during(numbers.held, lambda: (numbers.sql("update phone_numbers set forward_when = 'always', forward_to = '+15550100099' where id = %s", ident),
                                          numbers.sql("select number_sync(%s)", ident), numbers.sandbox.release()))
    n = numbers.number(ident)
    assert (n["status"], n["linked_assistant"]) == ("active", None)
    assert numbers.at_vapi()[n["phone_number"]]["assistantId"] is None


def test_who_is_too_fast_waits(numbers):
    whose = numbers.organization()
    for provider, operation in (("twilio", "search"), ("twilio", "buy"), ("vapi", "number_create")):
        numbers.sandbox.rule({"status": 429}, provider=provider, operation=operation, times=2)
    n = numbers.brought(numbers.make(whose))
    assert n["status"] == "active" and n["tried"] == []
    assert numbers.twilio()["purchases"] == {n["phone_number"]: 1}


def test_a_number_that_cannot_be_linked_is_given_back_and_that_is_said(numbers):
    whose = numbers.organization()
    numbers.sandbox.rule({"status": 400}, provider="vapi", operation="number_create")
    n = numbers.brought(numbers.make(whose, origin="automatic"))
    assert (n["status"], n["wanted"], n["release_reason"], n["last_error"]) == ("failed", "released", "link_failed", "vapi_400")
    assert n["rests_until"] > n["released_at"]
    assert numbers.at_twilio() == {} == numbers.at_vapi() and numbers.twilio()["releases"] == {n["phone_number"]: 1}
    assert numbers.told(whose) == ["number.purchased", "number.failed"]
    assert numbers.logged(n["id"])[-1] == ("provision", "failed", "link_failed")
    assert numbers.mails(whose) == ["number_failed"]


def test_it_is_paused_resumed_and_given_back(numbers):
    whose = numbers.organization()
    ident = numbers.make(whose)
    first = numbers.brought(ident)
    assert numbers.want(ident, "paused", "plan_changed", "2099-01-01") and not numbers.want(ident, "paused", "plan_changed")
    n = numbers.brought(ident)
    assert (n["status"], n["pause_reason"], n["linked_assistant"], n["release_after"][:10]) == ("paused", "plan_changed", None, "2099-01-01")
    assert numbers.at_vapi()[n["phone_number"]]["assistantId"] is None and n["phone_number"] in numbers.at_twilio()
    assert numbers.want(ident, "active", "resumed")
    n = numbers.brought(ident)
    assert (n["status"], n["linked_assistant"], n["pause_reason"], n["paused_at"], n["release_after"]) == ("active", whose["vapi"], None, None, None)
    assert (n["phone_number"], n["provider_sid"], n["voice_number_id"]) == (first["phone_number"], first["provider_sid"], first["voice_number_id"])
    assert numbers.at_vapi()[n["phone_number"]]["assistantId"] == whose["vapi"]
    assert numbers.want(ident, "released", "requested")
    n = numbers.brought(ident)
    assert (n["status"], n["release_reason"], n["voice_number_id"], n["run_id"]) == ("released", "requested", None, None)
    assert numbers.at_twilio() == {} == numbers.at_vapi() and numbers.twilio()["releases"] == {n["phone_number"]: 1}
    assert numbers.told(whose) == ["number.purchased", "number.active", "number.paused", "number.active", "number.released"]
    assert numbers.mails(whose) == ["number_ready", "number_paused", "number_ready", "number_released"]
    assert [x[0] for x in numbers.logged(ident) if x[1] == "completed"] == ["provision", "pause", "resume", "release"]


def test_what_is_gone_already_is_given_back(numbers):
    whose = numbers.organization()
    ident = numbers.make(whose)
    n = numbers.brought(ident)
    numbers.sandbox.twilio_number(n['phone_number'], take_back=True)
    numbers.vapi("DELETE", f"phone-number/{n['voice_number_id']}")
    numbers.want(ident, "released")
    n = numbers.brought(ident)
    assert n["status"] == "released"
    assert [x for x in numbers.logged(ident) if x[2] == "gone"] == [("remove", "noted", "gone"), ("release", "noted", "gone")]


@pytest.mark.parametrize("operation", ["release", "number_delete"])
@pytest.mark.parametrize("how", [{"answer": "reset", "accept": True}, {"answer": "reset", "accept": False}, {"status": 500, "accept": True}, {"status": 429}])
def test_giving_back_is_done_until_it_is_done(numbers, operation, how):
    whose = numbers.organization()
    ident = numbers.make(whose)
    numbers.brought(ident)
    numbers.sandbox.rule(how, provider="twilio" if operation == "release" else "vapi", operation=operation, times=1)
    numbers.want(ident, "released")
    assert numbers.brought(ident)["status"] == "released"
    assert numbers.at_twilio() == {} == numbers.at_vapi()


@pytest.mark.parametrize("answer", [{}, {"answer": "reset", "accept": True}])
def test_who_cancels_while_it_is_bought_has_it_given_back(numbers, answer):
    whose = numbers.organization()
    numbers.sandbox.rule({"hold": "before", **answer}, provider="twilio", operation="buy", times=1)
    ident = numbers.make(whose)
    numbers.during(numbers.held, lambda: (numbers.want(ident, "released", "canceled"), numbers.sandbox.release()))
    n = numbers.number(ident)
    assert (n["status"], n["release_reason"]) == ("released", "canceled")
    assert numbers.at_twilio() == {} and numbers.twilio()["purchases"] == numbers.twilio()["releases"] == {n["phone_number"]: 1}


def test_who_changes_back_and_forth_while_it_is_bought_has_it(numbers):
    whose = numbers.organization()
    numbers.sandbox.rule({"hold": "before"}, provider="twilio", operation="buy", times=1)
    ident = numbers.make(whose)

    def change():
        for wanted in ("paused", "active", "released", "active"):
            assert numbers.want(ident, wanted)
        numbers.sandbox.release()
    numbers.during(numbers.held, change)
    n = numbers.number(ident)
    assert n["status"] == "active" and list(numbers.at_twilio()) == [n["phone_number"]] == list(numbers.at_vapi())
    assert numbers.twilio()["purchases"] == {n["phone_number"]: 1} and numbers.told(whose) == ["number.purchased", "number.active"]


def test_one_that_is_wanted_again_while_it_is_given_back_is_gone(numbers):
    whose = numbers.organization()
    ident = numbers.make(whose)
    numbers.brought(ident)
    numbers.sandbox.rule({"hold": "after", "answer": "reset"}, provider="twilio", operation="release", times=1)
    numbers.want(ident, "released")
    numbers.during(numbers.held, lambda: (numbers.want(ident, "active", "resumed"), numbers.sandbox.release()))
    assert numbers.number(ident)["status"] == "released" and numbers.at_twilio() == {}


@pytest.mark.parametrize(("wanted", "operation"), [("paused", "number_update"), ("released", "number_delete")])
def test_one_that_is_wanted_again_while_nobody_knows_what_vapi_did_works(numbers, wanted, operation):
    whose = numbers.organization()
    ident = numbers.make(whose)
    n = numbers.brought(ident)
    numbers.sandbox.rule({"hold": "after", "answer": "reset"}, provider="vapi", operation=operation, times=1)
    numbers.want(ident, wanted)
    numbers.during(numbers.held, lambda: (numbers.want(ident, "active", "resumed"), numbers.sandbox.release()))
    again = numbers.number(ident)
    assert (again["status"], again["provider_sid"], again["linked_assistant"]) == ("active", n["provider_sid"], whose["vapi"])
    assert numbers.at_vapi()[n["phone_number"]]["assistantId"] == whose["vapi"] and numbers.twilio()["releases"] == {}


def test_a_change_is_told_to_both(numbers):
    whose = numbers.organization()
    ident = numbers.make(whose)
    n = numbers.brought(ident)
    other = numbers.assistant_at_vapi(whose["id"])
    second = numbers.value("""insert into assistants (organization_id, name, vapi_assistant_id, status, version, synced_version, provider_id)
        values (%s, 'Second', %s, 'active', 1, 1, %s) returning id""", whose["id"], other, numbers.provider)
    numbers.sql("update phone_numbers set assistant_wanted_id = %s where id = %s", second, ident)
    numbers.sql("select number_sync(%s)", ident)
    n = numbers.brought(ident)
    assert (n["assistant_id"], n["linked_assistant"], n["link_version"], n["status"]) == (str(second), other, 2, "active")
    assert numbers.at_vapi()[n["phone_number"]]["assistantId"] == other
    assert (numbers.twilio()["requests"]["update"], numbers.told(whose)[-1]) == (1, "number.active")
    numbers.sql("update phone_numbers set forward_when = 'always', forward_to = '+15550100099' where id = %s", ident)
    numbers.sql("select number_sync(%s)", ident)
    assert numbers.brought(ident)["linked_assistant"] is None and numbers.at_vapi()[n["phone_number"]]["assistantId"] is None


def test_a_number_that_works_stays_when_an_assistant_is_refused(numbers):
    whose = numbers.organization()
    ident = numbers.make(whose)
    numbers.brought(ident)
    numbers.sandbox.rule({"status": 400}, provider="vapi", operation="number_update")
    numbers.sql("select number_sync(%s)", ident)
    n = numbers.brought(ident)
    assert (n["status"], n["wanted"], n["last_error"], n["run_id"]) == ("active", "active", "vapi_400", None)
    assert n["phone_number"] in numbers.at_twilio() and numbers.logged(ident)[-1] == ("link", "failed", "link_failed")


def test_one_that_vapi_lost_is_imported_anew(numbers):
    whose = numbers.organization()
    ident = numbers.make(whose)
    n = numbers.brought(ident)
    numbers.vapi("DELETE", f"phone-number/{n['voice_number_id']}")
    numbers.sql("select number_sync(%s)", ident)
    again = numbers.brought(ident)
    assert again["status"] == "active" and again["voice_number_id"] == numbers.at_vapi()[n["phone_number"]]["id"] != n["voice_number_id"]


def test_where_there_is_none_that_is_said_and_the_search_goes_wider_first(numbers):
    whose = numbers.organization()
    n = numbers.brought(numbers.make(whose, origin="automatic", locality="Nowhere", region="TX"))
    assert n["status"] == "active" and n["want"]["widened"] and numbers.twilio()["requests"]["search"] == 2
    n = numbers.brought(numbers.make(whose, locality="Nowhere", region="TX"))
    assert (n["status"], n["release_reason"], n["phone_number"]) == ("failed", "no_number_found", None)
    assert numbers.mails(whose)[-1] == "number_failed"


def test_two_who_want_the_same_have_one_each(numbers):
    some = [numbers.organization() for _ in range(8)]
    ids = [numbers.make(whose, origin=o) for whose, o in zip(some, ("chosen", "automatic") * 4)]
    numbers.work(numbers.settled, n=3)
    rows = [numbers.number(i) for i in ids]
    assert {n["status"] for n in rows} == {"active"}
    assert sorted(n["phone_number"] for n in rows) == sorted(numbers.at_twilio()) == sorted(numbers.at_vapi()) and len(numbers.at_vapi()) == 8
    assert set(numbers.twilio()["purchases"].values()) == {1}


def test_no_key_of_twilios_or_vapis_is_kept(numbers):
    whose = numbers.organization()
    numbers.brought(numbers.make(whose))
    assert numbers.value("""select count(*) from workflow_steps s where s::text like '%%twilio-token%%' or s::text like '%%vapi-key%%'""") == 0
    assert numbers.value("select count(*) from phone_provision_logs l where l::text like '%%twilio-token%%' or l::text like '%%vapi-key%%'") == 0


def test_without_twilio_it_waits(numbers):
    whose = numbers.organization()
    ident = numbers.make(whose)
    numbers.pump(TWILIO_AUTH_TOKEN=None)
    assert numbers.number(ident)["status"] == "searching" and not numbers.value("select numbers_ready()")
    assert numbers.brought(ident)["status"] == "active" and numbers.value("select numbers_ready()")


def test_one_request_in_five_fails_and_everybody_has_one_number(numbers):
    for at, (provider, operation) in enumerate((("twilio", "search"), ("twilio", "buy"), ("twilio", "list_numbers"), ("vapi", "number_create"),
                                                ("vapi", "number_list"))):
        for kind, action in enumerate(({"answer": "reset", "accept": True}, {"answer": "reset"}, {"status": 500, "accept": True}, {"status": 429})):
            numbers.sandbox.rule(action, provider=provider, operation=operation, probability=0.05, seed=at * 10 + kind)
    numbers.sandbox.rule(numbers.sandbox.twilio_refusal(21422), provider="twilio", operation="buy", probability=0.05, seed=99)
    some = [numbers.organization() for _ in range(40)]
    ids = [numbers.make(whose, origin="automatic") for whose in some]
    numbers.work(numbers.settled, n=2)
    rows = [numbers.number(i) for i in ids]
    assert [n["status"] for n in rows] == ["active"] * 40, [n for n in rows if n["status"] != "active"]
    had = sorted(n["phone_number"] for n in rows)
    assert had == sorted(numbers.at_twilio()) == sorted(numbers.at_vapi()) and len(set(had)) == 40
