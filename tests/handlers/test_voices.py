"""Voices: what is on offer, how one sounds, which ones a person prefers, and the voice that a call is said with."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from stack_client import problem

ROOT = "/api/v1/voices"
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def voices(stack):
    """name -> id: Anna can be heard, Bernd cannot, Gone is not on offer, Own belongs to one account."""
    vapi = stack.provider("vapi")
    rows = {"Anna": {"language": "en-US", "voice_provider": "11labs", "preview_url": "https://voices.example.com/anna.mp3"},
            "Bernd": {"language": "de"}, "Gone": {"is_active": False}, "Own": {"provider_id": vapi, "voice_provider": "custom-voice"}}
    return {name: stack.insert("voice_options", voice_id="id-" + name, name=name, **row) for name, row in rows.items()}


def names(who, **query):
    """The names of a list."""
    return [v["name"] for v in who.get(ROOT, params=query)["data"]]


# ---- what is on offer ------------------------------------------------------------------


def test_the_voices_on_offer_are_listed_by_name(stack, alice, voices):
    assert names(alice) == ["Anna", "Bernd", "Own"]
    assert names(alice, language="en") == ["Anna", "Own"] and names(alice, language="de") == ["Bernd"]
    assert names(alice, voice_provider="11labs") == ["Anna"] and names(alice, name="NN") == ["Anna"]
    other, synthflow = stack.provider("vapi"), stack.provider("synthflow")
    own = str(stack.value("select provider_id from voice_options where name = 'Own'"))
    assert [names(alice, provider_id=p) for p in (own, other, synthflow)] == [["Anna", "Bernd", "Own"], ["Anna", "Bernd"], []]
    first = alice.get(ROOT + "?limit=2")
    rest = alice.get(f"{ROOT}?limit=2&after={first['next_cursor']}")
    assert [v["name"] for v in first["data"] + rest["data"]] == ["Anna", "Bernd", "Own"] and rest["next_cursor"] is None


def test_one_voice(alice, voices):
    found = alice.get(f"{ROOT}/{voices['Anna']}")
    assert found.pop("created_at").endswith("Z")
    assert found == {"id": voices["Anna"], "voice_id": "id-Anna", "name": "Anna", "voice_provider": "11labs", "language": "en-US",
                     "provider_id": None, "preview_url": "https://voices.example.com/anna.mp3"}
    for ident in (NOBODY, voices["Gone"]):
        assert alice.get(f"{ROOT}/{ident}", expect=404)["code"] == "voice_unknown"


def test_keys_and_viewers_may_look(stack, alice, voices):
    stack.sql("insert into organization_members (organization_id, user_id, role) values (%s, %s, 'viewer')",
              alice.organization, stack.user("vera").id)
    viewer = stack.user("vera").with_headers(X_Organization_Id=alice.organization)
    for who in (viewer, stack.api_key(alice, ["voices:read"])):
        assert len(names(who)) == 3 and who.get(f"{ROOT}/{voices['Anna']}/preview")
    problem(stack.api_key(alice, ["calls:read"]).ask("GET", ROOT), 403, "scope_missing")


# ---- how one sounds -----------------------------------------------------------------------


def test_a_stored_preview_stands_in_for_a_sample(alice, voices):
    url = "https://voices.example.com/anna.mp3"
    assert alice.get(f"{ROOT}/{voices['Anna']}/preview") == {"voice_id": voices["Anna"], "voice_name": "Anna", "preview_url": url}
    for key in (None, "key-1", "key-1"):
        answer = alice.with_headers(Idempotency_Key=key).post(f"{ROOT}/{voices['Anna']}/sample", {"text": "Hello."})
        assert answer == {"voice_id": voices["Anna"], "voice_name": "Anna", "sample_url": url, "generated": False}


def test_a_voice_that_cannot_be_heard_is_told_so(stack, alice, voices):
    for method, path, body in (("GET", "preview", None), ("POST", "sample", {"text": "Hello."})):
        problem(alice.ask(method, f"{ROOT}/{voices['Bernd']}/{path}", body), 409, "voice_sample_unavailable")
        for ident in (NOBODY, voices["Gone"]):
            problem(alice.ask(method, f"{ROOT}/{ident}/{path}", body), 404, "voice_unknown")
    stack.sql("delete from call_service_providers")
    problem(alice.ask("POST", f"{ROOT}/{voices['Bernd']}/sample", {"text": "Hello."}), 409, "voice_sample_unavailable")


def test_a_sample_needs_a_voice_and_a_text(alice, voices):
    for path, body, field in ((voices["Anna"], {}, "text"), (voices["Anna"], {"text": ""}, "text"), (voices["Anna"], {"text": "x" * 501}, "text"),
                              ("none", {"text": "x"}, "voice_id")):
        body = problem(alice.ask("POST", f"{ROOT}/{path}/sample", body), 400, "bad_fields")
        assert [e["field"] for e in body["errors"]] == [field], body


# ---- what a person prefers ------------------------------------------------------------------


def test_preferences_are_the_persons_own(stack, alice, bob, voices):
    nothing = {"default_voice_id": None, "languages": []}
    wish = {"default_voice_id": voices["Anna"], "languages": [{"language": "de", "voice_id": voices["Bernd"]}]}
    assert alice.get(ROOT + "/preferences") == nothing
    assert alice.expect("PUT", ROOT + "/preferences", wish) == wish == alice.get(ROOT + "/preferences")
    elsewhere = stack.insert("organizations", name="Team")
    stack.sql("insert into organization_members (organization_id, user_id, role) values (%s, %s, 'viewer')", elsewhere, alice.id)
    assert alice.with_headers(X_Organization_Id=elsewhere).get(ROOT + "/preferences") == wish, "in whatever organization"
    assert bob.get(ROOT + "/preferences") == nothing
    for method, body in (("GET", None), ("PUT", wish)):
        problem(stack.api_key(alice).ask(method, ROOT + "/preferences", body), 403, "person_needed")
    assert alice.expect("PUT", ROOT + "/preferences", {}) == nothing, "what is left out is forgotten"


def test_a_wish_that_cannot_be_met_is_named(alice, voices):
    def wish(language, voice):
        return {"language": language, "voice_id": voice}

    good = wish("de", voices["Bernd"])
    alice.expect("PUT", ROOT + "/preferences", {"languages": [good]})
    for body, code, field in (
            ({"default_voice_id": NOBODY}, "voice_not_found", "default_voice_id"),
            ({"default_voice_id": voices["Gone"]}, "voice_not_found", "default_voice_id"),
            ({"languages": [good, wish("en", NOBODY)]}, "voice_not_found", "languages.1.voice_id"),
            ({"languages": [good, wish("DE", voices["Anna"])]}, "language_invalid", "languages.1.language"),
            ({"languages": [wish("german", voices["Bernd"])]}, "language_invalid", "languages.0.language")):
        found = problem(alice.ask("PUT", ROOT + "/preferences", body), 422, code)
        assert [e["field"] for e in found["errors"]] == [field], found
    for body in ({"languages": [{"language": "de"}]}, {"languages": {"de": voices["Bernd"]}}, {"default_voice_id": 1}, {"languages": [good] * 51}):
        problem(alice.ask("PUT", ROOT + "/preferences", body), 400, "bad_fields")
    assert alice.get(ROOT + "/preferences")["languages"] == [good], "what is refused changes nothing"


def test_of_two_who_saw_the_same_one_wins(alice, voices):
    seen = alice.ask("GET", ROOT + "/preferences").headers["ETag"]
    wishes = [{"default_voice_id": voices[name]} for name in ("Anna", "Bernd")]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda w: alice.with_headers(If_Match=seen).ask("PUT", ROOT + "/preferences", w), wishes))
    assert sorted(a.status_code for a in answers) == [200, 412]
    assert alice.get(ROOT + "/preferences") in [a.json() for a in answers]


# ---- the voice of a call ----------------------------------------------------------------------


def said_with(stack, who, template, **fields):
    """The voice that Vapi was asked for."""
    call, = stack.schedule(1, who, template, **fields)
    stack.drain_of(call)
    there = requests.get(f"{stack.sandbox.vapi_url}/call/{stack.call(call).provider_call_id}", timeout=30,
                         headers={"Authorization": f"Bearer {stack.keys['vapi']}"}).json()
    return there["assistantOverrides"].get("voice")


def test_a_call_is_said_with_the_voice_that_its_person_prefers(stack, alice, voices):
    plain, german = stack.template(("vapi",)), stack.template(("vapi",), params={"language": "de"})
    assert said_with(stack, alice, plain) is None
    alice.expect("PUT", ROOT + "/preferences", {"default_voice_id": voices["Anna"], "languages": [{"language": "de", "voice_id": voices["Bernd"]}]})
    assert said_with(stack, alice, plain) == {"provider": "11labs", "voiceId": "id-Anna"}
    assert said_with(stack, alice, german) == {"provider": "vapi", "voiceId": "id-Bernd"}
    assert said_with(stack, alice, german, voice_id=voices["Anna"])["voiceId"] == "id-Anna", "what the call names comes first"
    assert said_with(stack, stack.api_key(alice), plain) is None, "a key has no wishes"
