"""Phone numbers as people ask for them: looked for, bought, changed, given back, tried, and people's own ones proved by a code."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from stack_client import problem

ROOT = "/api/v1/phone-numbers"
OWN = "+15550100061"


@pytest.fixture(autouse=True)
def ready(stack):
    """With an account at Vapi, and a program that has said which workflows it knows."""
    stack.sql("insert into number_policy (enabled) values (false) on conflict (id) do nothing")
    stack.provider("vapi")
    stack.work()


def search(who, expect=200, **wish):
    """A page of what can be bought."""
    return who.post(ROOT + "/search", wish, expect=expect)


def numbers(page):
    """The numbers of a page."""
    return [one["phone_number"] for one in page["data"]]


def bought(stack, who, number="+12125550009", **columns):
    """A number that somebody has, as the run leaves it."""
    return stack.insert("phone_numbers", organization_id=who.organization, phone_number=number, **{"origin": "chosen", "status": "active", **columns})


def code_of(stack, number=OWN):
    """The code of the last text to a number."""
    return re.match(r"(\d{6}) is your code", stack.sandbox.texts(to=number)[-1]["body"])[1]


def proved(stack, who, number=OWN):
    """Somebody's own number; answers its id."""
    asked = who.post(ROOT + "/verify", {"phone_number": number}, expect=202)
    stack.work()
    return who.post(f"{ROOT}/verify/{asked['id']}/confirm", {"code": code_of(stack, number)}, expect=200)["id"]


def brought(stack, who, number):
    """What has become of a number when all that is under way is over."""
    for _ in range(20):
        stack.work()
        if not stack.count("workflow_runs", "workflow in ('phone-number', 'assistant-sync') and state in ('ready', 'working', 'waiting')"):
            return who.get(f"{ROOT}/{number}")
        stack.sql("update workflow_steps set due_at = now() where due_at > now()")
        stack.sql("update workflow_runs set due_at = now() where state = 'ready' and due_at > now()")
    raise AssertionError(stack.sql("select id, state, step from workflow_runs where state <> 'done'"))


def on_plan(stack, who, plan):
    """An organization is on that plan from now on."""
    stack.sql("update subscriptions set plan_id = (select id from subscription_plans where name = %s) where organization_id = %s and current", plan,
              who.organization)


# ---- looked for ------------------------------------------------------------------------


def test_numbers_are_looked_for_by_place_and_by_what_they_take(alice):
    found = search(alice, country="US", area_code="415", limit=3)
    assert len(found["data"]) == 3 and all(n.startswith("+1415") for n in numbers(found))
    one = found["data"][0]
    assert (one["locality"], one["region"], one["country_code"], one["number_type"]) == ("San Francisco", "CA", "US", "local")
    assert set(one["capabilities"]) <= {"voice", "sms", "mms"} and one["address_requirements"] and one["friendly_name"].startswith("(415)")
    assert {o["region"] for o in search(alice, region="TX", limit=50)["data"]} == {"TX"}
    assert {o["locality"] for o in search(alice, locality="Boston")["data"]} == {"Boston"}
    assert all("1001" in n for n in numbers(search(alice, contains="1001")))
    assert {o["country_code"] for o in search(alice, country="CA")["data"]} == {"CA"}
    assert {n[:5] for n in numbers(search(alice, number_type="toll-free", area_code="833"))} == {"+1833"}
    assert {o["number_type"] for o in search(alice, country="GB", number_type="mobile")["data"]} == {"mobile"}
    for wish in ({"sms": True}, {"voice": True}, {"mms": False}):
        (name, value), = wish.items()
        assert {o["capabilities"][name] for o in search(alice, **wish)["data"]} <= {value}


def test_pages_follow_each_other_until_there_is_nothing_more(alice):
    seen, after = [], None
    while True:
        page = search(alice, area_code="415", limit=50, **({"after": after} if after else {}))
        seen += numbers(page)
        after = page["next_cursor"]
        if not after:
            break
    assert len(seen) == len(set(seen)) == 200
    assert search(alice, area_code="999") == {"data": [], "next_cursor": None}
    assert search(alice, contains="9999999999") == {"data": [], "next_cursor": None}


def test_what_somebody_has_or_what_rests_is_not_on_offer(stack, alice, bob):
    first, second, third = numbers(search(alice, area_code="212", limit=3))
    bought(stack, bob, first)
    bought(stack, bob, second, status="released", rests_until="2099-01-01")
    bought(stack, bob, third, status="released", rests_until="2020-01-01")
    assert numbers(search(alice, area_code="212", limit=3)) == [third]


def test_capitals_are_small_letters_here(stack, alice):
    stack.sandbox.settings(twilio_capitals=True)
    assert all(set(o["capabilities"]) == {"voice", "sms", "mms"} for o in search(alice, limit=5)["data"])


def test_what_cannot_be_looked_for_is_refused(stack, alice):
    problem(alice.ask("POST", ROOT + "/search", {"country": "ZZ"}), 422, "number_search_refused")
    problem(alice.ask("POST", ROOT + "/search", {"country": "US", "area_code": "12"}), 422, "number_search_refused")
    for place in ({"country": ".."}, {"country": "us"}, {"area_code": "4a"}):
        problem(alice.ask("POST", ROOT + "/search", place), 422, "number_place_invalid")
    for place in ({"country_code": ".."}, {"area_code": "4&"}):
        problem(alice.ask("POST", ROOT, place), 422, "number_place_invalid")
    problem(alice.ask("POST", ROOT + "/search", {"limit": 51}), 400, "bad_fields")
    problem(alice.ask("POST", ROOT + "/search", {"after": "x"}), 400, "bad_cursor")
    stack.sandbox.rule(stack.sandbox.twilio_refusal(20003, 401), provider="twilio", operation="search", times=1)
    problem(alice.ask("POST", ROOT + "/search", {}), 503, "unavailable")


@pytest.mark.parametrize("away", [{"answer": "reset"}, {"status": 500}, {"status": 429}])
def test_a_provider_that_is_away_is_asked_again_later(stack, alice, away):
    stack.sandbox.rule(away, provider="twilio", operation="search", times=1)
    answer = alice.ask("POST", ROOT + "/search", {})
    problem(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert search(alice)["data"]


# ---- bought ------------------------------------------------------------------------------


def test_a_number_is_asked_for_and_on_its_way(stack, alice):
    chosen = alice.post(ROOT, {"phone_number": "+12125551000", "name": "Reception"}, expect=202)
    assert (chosen["status"], chosen["phone_number"], chosen["name"], chosen["origin"]) == ("buying", "+12125551000", "Reception", "chosen")
    near = alice.post(ROOT, {"area_code": "415"}, expect=202)
    anyone = alice.post(ROOT, expect=202)
    assert [(n["status"], n["phone_number"]) for n in (near, anyone)] == [("searching", None)] * 2
    assert stack.value("select want ->> 'area_code' from phone_numbers where id = %s", near["id"]) == "415"
    assert stack.value("select want ->> 'country_code' from phone_numbers where id = %s", anyone["id"]) == "US"
    assert [n["id"] for n in alice.get(ROOT)["data"]] == [anyone["id"], near["id"], chosen["id"]]
    assert [n["id"] for n in alice.get(ROOT + "?status=buying")["data"]] == [chosen["id"]]


def test_a_number_is_bought_linked_and_given_back(stack, alice):
    chosen = numbers(search(alice, area_code="512"))[2]
    asked = [alice.post(ROOT, wish, expect=202)["id"] for wish in ({"phone_number": chosen}, {"area_code": "415"}, {})]
    there = [brought(stack, alice, ident) for ident in asked]
    assert [n["status"] for n in there] == ["active"] * 3 and there[0]["phone_number"] == chosen and there[1]["area_code"] == "415"
    assert len({n["phone_number"] for n in there}) == 3 and len({n["assistant_id"] for n in there}) == 1
    assert alice.get("/api/v1/assistants/" + there[0]["assistant_id"])["status"] == "active"
    assert {n["phone_number"] for n in stack.sandbox.twilio()["numbers"]} == {n["phone_number"] for n in there}
    log = [line["action"] for line in alice.get(f"{ROOT}/{asked[1]}/log")["data"]]
    assert "search" in log and "buy" in log
    first = alice.get(f"{ROOT}/{asked[1]}/log?limit=1")
    assert first["next_cursor"] and alice.get(f"{ROOT}/{asked[1]}/log?limit=1&after={first['next_cursor']}")["data"][0]["action"] == log[1]
    assert chosen not in numbers(search(alice, area_code="512", limit=50))
    alice.expect("DELETE", f"{ROOT}/{asked[0]}", expect=202)
    assert brought(stack, alice, asked[0])["status"] == "released"
    assert chosen not in {n["phone_number"] for n in stack.sandbox.twilio()["numbers"]}
    assert chosen not in numbers(search(alice, area_code="512", limit=50)), "it rests"
    problem(alice.ask("POST", ROOT, {"phone_number": chosen}), 409, "number_resting")


def test_another_assistant_answers_when_somebody_says_so(stack, alice):
    number = alice.post(ROOT, expect=202)["id"]
    brought(stack, alice, number)
    other = alice.post("/api/v1/assistants", {"name": "Night desk", "system_prompt": "You answer at night."}, expect=201)["id"]
    assert alice.expect("PATCH", f"{ROOT}/{number}", {"assistant_id": other})["assistant_id"] == other
    there = brought(stack, alice, number)
    at_vapi = {n["id"]: n["assistantId"] for n in stack.sandbox.vapi()["phone_numbers"]}[there["voice_number_id"]]
    assert at_vapi == stack.value("select vapi_assistant_id from assistants where id = %s", other) is not None
    assert [n["id"] for n in alice.get(f"{ROOT}?assistant_id={other}")["data"]] == [number]


def test_no_more_numbers_are_had_than_the_plan_includes(stack, alice):
    on_plan(stack, alice, "free")
    problem(alice.ask("POST", ROOT, {}), 402, "number_limit_reached")
    on_plan(stack, alice, "basic")
    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(lambda who: who.ask("POST", ROOT, {}).status_code, (alice, stack.api_key(alice.organization))))
    assert answers == [202, 402] and stack.count("phone_numbers") == 1


def test_a_chosen_number_that_somebody_elsewhere_has_bought_is_not_had(stack, alice):
    stack.sandbox.rule(stack.sandbox.twilio_refusal(21422), provider="twilio", operation="buy", times=1)
    number = alice.post(ROOT, {"phone_number": "+12125551003"}, expect=202)["id"]
    there = brought(stack, alice, number)
    assert (there["status"], there["last_error"]) == ("failed", "twilio_21422") and stack.sandbox.twilio()["numbers"] == []


def test_under_one_key_one_number_is_bought(stack, alice):
    answers = [alice.ask("POST", ROOT, {"area_code": "415"}, headers={"Idempotency-Key": "one"}) for _ in range(3)]
    assert len({a.json()["id"] for a in answers}) == 1 and stack.count("phone_numbers") == 1


def test_of_two_who_want_the_same_number_one_gets_it(stack, alice, bob):
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda who: who.ask("POST", ROOT, {"phone_number": "+12125551001"}), (alice, bob)))
    won, lost = sorted(answers, key=lambda a: a.status_code)
    assert won.status_code == 202
    problem(lost, 409, "number_taken")
    assert stack.count("phone_numbers") == 1


def test_a_number_that_rests_is_not_bought(stack, alice, bob):
    bought(stack, bob, "+12125551002", status="released", wanted="released", rests_until="2099-01-01")
    problem(alice.ask("POST", ROOT, {"phone_number": "+12125551002"}), 409, "number_resting")


def test_who_gives_back_again_and_again_buys_no_more(stack, alice):
    on_plan(stack, alice, "basic")
    for n in range(3):
        bought(stack, alice, f"+1212555101{n}", status="failed" if n == 0 else "released", wanted="released", purchased_at="now")
    assert "given back within 30 days" in problem(alice.ask("POST", ROOT, {}), 402, "number_limit_reached")["detail"]
    stack.sql("update phone_numbers set purchased_at = now() - interval '31 days' where phone_number = '+12125551012'")
    alice.post(ROOT, {}, expect=202)


# ---- changed, given back ---------------------------------------------------------------------


def test_callers_are_put_through_to_proved_numbers_alone(stack, alice):
    number = f"{ROOT}/{bought(stack, alice)}"
    refused = problem(alice.ask("PATCH", number, {"forward_to": OWN}), 422, "number_not_verified")
    assert [e["field"] for e in refused["errors"]] == ["forward_to"]
    own = proved(stack, alice)
    changed = alice.expect("PATCH", number, {"forward_to": OWN, "forward_when": "always", "name": "Night"}, expect=200)
    assert (changed["forward_to"], changed["forward_when"], changed["name"]) == (OWN, "always", "Night")
    problem(alice.ask("DELETE", f"{ROOT}/verified/{own}"), 409, "verified_number_in_use")
    alice.expect("PATCH", number, {"forward_to": None, "forward_when": "never"}, expect=200)
    alice.expect("DELETE", f"{ROOT}/verified/{own}", expect=204)
    assert alice.get(ROOT + "/verified")["data"] == []


def test_no_number_that_an_assistant_answers_is_proved_or_put_through_to(stack, alice, bob):
    number = f"{ROOT}/{bought(stack, alice)}"
    bought(stack, bob, OWN)
    problem(alice.ask("POST", ROOT + "/verify", {"phone_number": OWN}), 422, "number_invalid")
    stack.insert("verified_numbers", organization_id=alice.organization, phone_number=OWN, status="verified")
    for field in ("forward_to", "sms_forward_to"):
        refused = problem(alice.ask("PATCH", number, {field: OWN}), 422, "number_not_verified")
        assert [e["field"] for e in refused["errors"]] == [field]


def test_giving_back_twice_is_giving_back_once(stack, alice):
    number = f"{ROOT}/{bought(stack, alice)}"
    first, second = (alice.expect("DELETE", number, expect=202) for _ in range(2))
    assert first["wanted"] == second["wanted"] == "released"
    problem(alice.ask("PATCH", number, {"name": "x"}), 409, "number_released")


def test_strangers_see_and_change_nothing(stack, alice, bob):
    number, own = f"{ROOT}/{bought(stack, alice)}", proved(stack, alice)
    for method, path, body in (("GET", "", None), ("PATCH", "", {"name": "x"}), ("DELETE", "", None), ("GET", "/log", None), ("GET", "/usage", None),
                               ("POST", "/test", {"verified_number_id": own})):
        problem(bob.ask(method, number + path, body), 404, "number_not_found")
    problem(bob.ask("DELETE", f"{ROOT}/verified/{own}"), 404, "verified_number_not_found")
    problem(bob.ask("POST", f"{ROOT}/verify/{own}/confirm", {"code": "123456"}), 404, "verified_number_not_found")
    assert bob.get(ROOT)["data"] == bob.get(ROOT + "/verified")["data"] == []


def test_a_member_reads_and_an_admin_buys(stack, alice):
    for role, status in (("viewer", 403), ("member", 403), ("admin", 202)):
        who = stack.user(f"{role} of alice")
        stack.sql("insert into organization_members (organization_id, user_id, role) values (%s, %s, %s)", alice.organization, who.id, role)
        who = who.with_headers(X_Organization_Id=alice.organization)
        assert who.ask("GET", ROOT).status_code == who.ask("POST", ROOT + "/search", {}).status_code == 200
        assert who.ask("POST", ROOT, {}).status_code == status


# ---- people's own numbers ----------------------------------------------------------------------


def test_a_number_is_proved_by_a_text(stack, alice):
    asked = alice.post(ROOT + "/verify", {"phone_number": OWN}, expect=202)
    assert (asked["status"], asked["channel"], asked["verified_at"]) == ("pending", "sms", None)
    stack.work()
    text, = stack.sandbox.texts(to=OWN)
    path = f"{ROOT}/verify/{asked['id']}/confirm"
    wrong = "000000" if code_of(stack) != "000000" else "000001"
    problem(alice.ask("POST", path, {"code": wrong}), 422, "code_invalid")
    problem(alice.ask("POST", path, {"code": wrong}, headers={"Idempotency-Key": "wrong"}), 422, "code_invalid")
    assert stack.value("select tries from verified_numbers") == 2
    done = alice.post(path, {"code": code_of(stack)}, expect=200)
    assert (done["status"], done["expires_at"]) == ("verified", None) and done["verified_at"]
    assert [v["phone_number"] for v in alice.get(ROOT + "/verified")["data"]] == [OWN]
    problem(alice.ask("POST", path, {"code": code_of(stack)}), 422, "code_invalid")
    problem(alice.ask("POST", ROOT + "/verify", {"phone_number": OWN}), 409, "number_verified")
    kept = stack.value("select string_agg(r::text, '') from workflow_runs r") + stack.value("select string_agg(s::text, '') from workflow_steps s")
    assert code_of(stack) not in kept + (stack.folder / "work.log").read_text() and text["sid"] in kept


def test_a_number_is_proved_by_a_call(stack, alice):
    asked = alice.post(ROOT + "/verify", {"phone_number": OWN, "channel": "call"}, expect=202)
    stack.work()
    call, = stack.sandbox.twilio_calls(to=OWN)
    codes = {re.sub(r"\D", "", words) for words in re.findall(r"code is:([ \d,]+)", call["twiml"])}
    assert len(codes) == 1 and not stack.sandbox.texts(to=OWN)
    assert alice.post(f"{ROOT}/verify/{asked['id']}/confirm", {"code": codes.pop()}, expect=200)["status"] == "verified"


def test_after_five_wrong_codes_the_right_one_is_worth_nothing(stack, alice):
    asked = alice.post(ROOT + "/verify", {"phone_number": OWN}, expect=202)
    stack.work()
    right = code_of(stack)
    wrong = [c for c in (f"{n:06}" for n in range(6)) if c != right][:5]
    for code in [*wrong, right]:
        problem(alice.ask("POST", f"{ROOT}/verify/{asked['id']}/confirm", {"code": code}), 422, "code_invalid")
    again = alice.post(ROOT + "/verify", {"phone_number": OWN}, expect=202)
    stack.work()
    assert again["id"] != asked["id"]
    problem(alice.ask("POST", f"{ROOT}/verify/{again['id']}/confirm", {"code": right}), 422, "code_invalid")
    assert alice.post(f"{ROOT}/verify/{again['id']}/confirm", {"code": code_of(stack)}, expect=200)["status"] == "verified"


def test_nobody_is_texted_without_end(stack, alice, bob):
    for who in (alice, bob, alice):
        who.post(ROOT + "/verify", {"phone_number": OWN}, expect=202)
    for who in (alice, bob):
        problem(who.ask("POST", ROOT + "/verify", {"phone_number": OWN}), 429, "too_many_tries")
    stack.work()
    assert len(stack.sandbox.texts(to=OWN)) == 2, "the first code of alice was worth nothing any more when it would have been sent"


def test_codes_are_for_those_whose_plan_brings_numbers(stack, alice):
    on_plan(stack, alice, "free")
    problem(alice.ask("POST", ROOT + "/verify", {"phone_number": OWN}), 402, "number_limit_reached")
    bought(stack, alice)
    alice.post(ROOT + "/verify", {"phone_number": OWN}, expect=202)
    stack.sql("update subscriptions set status = 'unpaid' where organization_id = %s and current", alice.organization)
    problem(alice.ask("POST", ROOT + "/verify", {"phone_number": "+15550100062"}), 402, "subscription_inactive")


def test_a_code_is_sent_once_whatever_the_provider_answers(stack, alice):
    for n, (channel, operation) in enumerate((("sms", "create"), ("call", "call"))):
        number = f"+1555010007{n}"
        stack.sandbox.rule({"answer": "reset", "accept": True}, provider="twilio", operation=operation, times=1)
        alice.post(ROOT + "/verify", {"phone_number": number, "channel": channel}, expect=202)
        for _ in range(3):
            stack.work()
            stack.sql("update workflow_runs set due_at = now() where due_at is not null")
            stack.sql("update workflow_steps set due_at = now() where due_at is not null")
        sent = stack.sandbox.texts(to=number) if channel == "sms" else stack.sandbox.twilio_calls(to=number)
        assert len(sent) == 1, channel
    assert stack.value("select array_agg(distinct state) from workflow_runs where workflow = 'verify-number'") == ["done"]


def test_a_code_that_cannot_be_sent_has_failed(stack, alice):
    stack.sandbox.rule(stack.sandbox.twilio_refusal(21211), provider="twilio", operation="create", times=1)
    alice.post(ROOT + "/verify", {"phone_number": OWN}, expect=202)
    stack.work()
    assert [v["status"] for v in alice.get(ROOT + "/verified")["data"]] == ["failed"]


@pytest.mark.parametrize("number", ["911", "+1911", "+49", "5550100061"])
def test_what_is_no_whole_number_is_not_called(alice, number):
    problem(alice.ask("POST", ROOT + "/verify", {"phone_number": number}), 400, "bad_fields")


def test_without_an_account_nothing_is_looked_for_or_sent(tmp_path_factory):
    from stack import Stack
    with Stack(tmp_path_factory.mktemp("bare"), settings={"TWILIO_ACCOUNT_SID": "", "TWILIO_AUTH_TOKEN": ""}) as bare:
        who = bare.user("alice")
        problem(who.ask("POST", ROOT + "/search", {}), 409, "numbers_not_configured")
        problem(who.ask("POST", ROOT + "/verify", {"phone_number": OWN}), 409, "numbers_not_configured")
