"""/api/v1/calls/search and /analytics: what was said is found once it was read, in any language, by its own tenant; calls in numbers."""

import random as randomness
from urllib.parse import quote

import pytest

from stack_client import problem

SAID = {
    "en": "I would like to move my appointment to Tuesday, what is the price for that? Will you call me again?",
    "de": "Guten Tag, ich möchte einen Termin und habe eine Frage, das ist nicht die Straße mit den Bäumen.",
    "fr": "Bonjour, je suis élève et je voudrais une livraison pour nous, avec les papiers que vous avez.",
    "es": "Hola, quiero una cita para el lunes y que me llame el señor García por favor con los papeles.",
    "ru": "Здравствуйте, я хочу записаться на приём, это не для меня, а как у вас с заказами?",
    "tr": "Merhaba, bu bir sipariş için ve çok önemli, ışıklar yok ama siz ne dersiniz?",
}


def said(stack, who, text, summary=None, **call):
    """A call of theirs that is over, with what was said in it; answers its id."""
    ident = stack.insert("calls", **{"organization_id": who.organization, "status": "completed", "finished_at": "now", "ended_at": "now",
                                     "to_number": stack.number(), **call})
    stack.sql("""insert into call_transcripts (call_id, call_created_at, organization_id, transcript_text, summary)
                 select id, created_at, organization_id, %s, %s from calls where id = %s""", text, summary, ident)
    return str(ident)


def read(stack, **more):
    """What workflow-pump does with what is new."""
    return stack.work(**more)["transcripts_read"]


def search(who, words, **more):
    """The ids that are found, best first."""
    return [hit["call"]["id"] for hit in hits(who, words, **more)]


def hits(who, words, **more):
    """All pages of it."""
    found, after = [], ""
    while after is not None:
        page = who.get(f"/api/v1/calls/search?q={quote(words)}" + "".join(f"&{k}={quote(str(v))}" for k, v in more.items()) + after)
        found += page["data"]
        after = f"&after={page['next_cursor']}" if page["next_cursor"] else None
    return found


def marked(pieces):
    """The words that are marked."""
    return [p["text"] for p in pieces if p["match"]]


def test_what_was_said_is_found_in_its_language_once_it_was_read(stack, alice, bob):
    calls = {language: said(stack, alice, text) for language, text in SAID.items()}
    said(stack, bob, " ".join(SAID.values()))
    assert search(alice, "appointment") == []
    assert read(stack) == 7 and read(stack) == 0
    for words, language, mark in [("appointments", "en", "appointment"), ("termine", "de", "Termin"), ("strasse", "de", "Straße"), ("livraisons", "fr", "livraison"),
                                  ("eleve", "fr", "élève"), ("citas", "es", "cita"), ("garcia", "es", "García"), ("заказы", "ru", "заказами"),
                                  ("siparişler", "tr", "sipariş"), ("isiklar", "tr", "ışıklar")]:
        hit, = hits(alice, words)
        assert hit["call"]["id"] == calls[language] and marked(hit["transcript"]) == [mark], (words, hit)
        assert "".join(p["text"] for p in hit["transcript"]) in SAID[language]
    assert search(alice, '"guten tag"') == [calls["de"]] and search(alice, '"tag guten"') == []
    assert set(search(alice, "cita or termin")) == {calls["es"], calls["de"]} and search(alice, "cita -lunes") == []
    assert search(alice, "terminen") == [calls["de"]] and search(alice, "terminen", language="en") == []
    assert len(search(bob, "appointments")) == 1 and not set(search(bob, "appointments")) & set(calls.values())


def test_a_report_is_found_by_its_words(stack, alice):
    """From the dial to the search: nothing but what the programs do."""
    stack.provider("vapi")
    call, = stack.schedule(1, alice, stack.template())
    stack.drain()
    text = alice.get(f"/api/v1/calls/{call}/transcript")["transcript"]
    assert read(stack) == 1
    word = max((w.strip(".,:?!") for w in text.split()), key=len)
    assert search(alice, word) == [call]


def test_the_best_is_first_and_pages_go_on_where_they_ended(stack, alice):
    random = randomness.Random(7)
    for _ in range(30):
        said(stack, alice, " ".join(["penguin"] * random.randrange(1, 4) + ["and the you is for that"] * random.randrange(1, 4)),
             "About a penguin" if random.random() < 0.2 else None)
    read(stack)
    whole = hits(alice, "penguin", limit=100)
    assert len(whole) == 30 and [h["rank"] for h in whole] == sorted((h["rank"] for h in whole), reverse=True)
    page = alice.get("/api/v1/calls/search?q=penguin&limit=9")
    said(stack, alice, "penguin penguin penguin penguin", "penguin")
    read(stack)
    rest = alice.get(f"/api/v1/calls/search?q=penguin&limit=100&after={page['next_cursor']}")
    assert page["data"] + rest["data"] == whole and rest["next_cursor"] is None
    assert len(search(alice, "penguin", limit=4)) == 31
    assert problem(alice.ask("GET", f"/api/v1/calls/search?q=penguins&after={page['next_cursor']}"), 400)["code"] == "bad_cursor"
    assert search(alice, "penguin", status="failed") == [] and search(alice, "penguin", created_to="2001-01-01T00:00:00Z") == []


@pytest.mark.parametrize("words", ["<script>alert(1)</script>", "a' or '1'='1", "a:*&b|!c", "\\a", '"a', "or -b or", "%00"[1:], "x" * 200, "a\u0301\u0302", "😀a", " ' english"])
def test_no_question_breaks_it(stack, alice, words):
    said(stack, alice, "<script>alert(1)</script> a ' english")
    read(stack)
    answer = alice.ask("GET", f"/api/v1/calls/search?q={quote(words)}")
    assert answer.status_code == 200, answer.text
    assert all(set(p) == {"text", "match"} for hit in answer.json()["data"] for p in hit["transcript"])


def test_a_question_without_a_word_is_refused(stack, alice):
    for words in ('"', "!!!", "-", " "):
        refused = problem(alice.ask("GET", f"/api/v1/calls/search?q={quote(words)}"), 422, "search_empty")
        assert [e["field"] for e in refused["errors"]] == ["q"]
    problem(alice.ask("GET", "/api/v1/calls/search"), 400, "bad_fields")
    problem(alice.ask("GET", "/api/v1/calls/search?q=" + "x" * 201), 400, "bad_fields")
    assert stack.count("calls") == 0


def test_a_hundred_thousand_transcripts_are_searched(stack, alice, bob, full):
    """A tenth of them is bob's; one in a thousand holds the rare word."""
    total = 100_000 if full else 500
    stack.sql("""
        with made as (
            insert into calls (id, created_at, organization_id, status, to_number, finished_at)
            select gen_random_uuid(), now() - i * interval '1 minute', (case when i %% 10 = 0 then %s else %s end)::uuid, 'completed', '+15551234567', now()
              from generate_series(1, %s::int) i returning *)
        insert into call_transcripts (call_id, call_created_at, organization_id, transcript_text)
        select id, created_at, organization_id, case extract(minute from created_at)::int %% 3
            when 0 then 'the and you is your for that ' when 1 then 'ich und das ist nicht die ' else 'les vous pour que nous avec ' end
            || 'termin rendez appointment ' || md5(id::text) from made""", bob.organization, alice.organization, total)
    stack.sql("""update call_transcripts set transcript_text = transcript_text || ' umbrella'
                  where call_id in (select id from calls order by created_at desc offset 7 limit 100)""")
    told = 0
    while told < total:
        told += read(stack, deadline=180)  # which begins nothing new after a minute
    found = {who: search(who, "umbrella", limit=100) for who in (alice, bob)}
    assert len(found[alice]) == 90 and len(found[bob]) == 10
    assert len(alice.get("/api/v1/calls/search?q=termin+appointment+-zebra&limit=100")["data"]) == 100
    assert stack.value("select count(distinct search_language) from call_transcripts") == 3


# ---- numbers ---------------------------------------------------------------------


def test_calls_in_numbers_where_the_asker_is(stack, alice, bob):
    made = {"organization_id": alice.organization, "attempts": 1, "finished_at": "now"}
    stack.insert("calls", **made, created_at="2026-03-08T03:30:00Z", status="completed", started_at="now", duration_seconds=60, ended_reason="customer-ended-call")
    stack.insert("calls", **made, created_at="2026-03-08T06:59:00Z", status="failed", ended_reason="customer-busy")
    stack.insert("calls", organization_id=bob.organization, created_at="2026-03-08T06:59:00Z", status="completed", finished_at="now")
    path = "/api/v1/calls/analytics?from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z"
    found = alice.get(path)
    assert (found["total"]["total"], found["total"]["answer_rate"], found["total"]["duration_seconds"]) == (2, 0.5, 60)
    assert [(g["key"], g["total"]) for g in found["groups"]] == [("2026-03-08", 2)]
    there = alice.get(path + "&timezone=America/New_York")
    assert [(g["key"], g["total"]) for g in there["groups"]] == [("2026-03-07", 1), ("2026-03-08", 1)]
    assert [g["key"] for g in alice.get(path + "&timezone=America/New_York&group_by=hour")["groups"]] == ["01", "22"]
    assert {g["key"] for g in alice.get(path + "&group_by=outcome")["groups"]} == {"customer-ended-call", "customer-busy"}
    problem(alice.ask("GET", path + "&timezone=Mars/Phobos"), 422, "timezone_unknown")
    problem(alice.ask("GET", path + "&group_by=weather"), 400, "bad_fields")
    assert bob.get(path)["total"]["total"] == 1
