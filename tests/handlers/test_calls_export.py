"""/api/v1/calls/export, /batch with on_error, and feedback on calls."""

import csv
import io
import json
import re
import socket
import time
import uuid
from contextlib import contextmanager

import pytest

from stack import wait_until
from stack_client import problem
from stack_process import resident

PATH = "/api/v1/calls"


def many(stack, who, n, **columns):
    """So many calls that are over, a second apart."""
    row = {"recipient_name": "Pat", **columns}
    names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
    stack.sql(f"""insert into calls (created_at, organization_id, status, to_number, finished_at, {names})
                  select now() - i * interval '1 second', %s, 'completed', '+1555' || (1000000 + i %% 9000000), now(), {marks}
                    from generate_series(1, %s::int) i""", who.organization, *row.values(), n)


def text(answer):
    """What was sent, which is UTF-8."""
    assert answer.status_code == 200
    return answer.content.decode()


def over(stack, who, **columns):
    """One call that is over."""
    return str(stack.insert("calls", **{"organization_id": who.organization, "status": "completed", "finished_at": "now", "to_number": stack.number(), **columns}))


# ---- export ----------------------------------------------------------------------


def test_all_calls_are_exported_as_the_list_shows_them(stack, alice, bob):
    many(stack, alice, 1234)
    many(stack, bob, 3)
    answer = alice.ask("GET", f"{PATH}/export")
    assert answer.headers["Content-Type"] == "application/x-ndjson" and "calls.ndjson" in answer.headers["Content-Disposition"]
    lines = [json.loads(line) for line in text(answer).split("\n") if line]
    assert len({line["id"] for line in lines}) == 1234 and lines[:20] == alice.get(PATH)["data"]
    table = alice.ask("GET", f"{PATH}/export?format=csv")
    assert table.headers["Content-Type"] == "text/csv; charset=utf-8" and "calls.csv" in table.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(text(table), newline="")))
    assert [r["id"] for r in rows] == [line["id"] for line in lines]
    for row, line in zip(rows, lines):
        for name, words in row.items():
            value = line[name]
            assert words == ("" if value is None else json.dumps(value) if isinstance(value, dict) else str(value)), (name, words, value)
    assert alice.ask("HEAD", f"{PATH}/export").status_code == 200
    problem(alice.ask("GET", f"{PATH}/export?format=pdf"), 400, "bad_fields")


def test_filters_and_transcripts(stack, alice):
    many(stack, alice, 5)
    one = over(stack, alice, status="failed", recipient_name='=1+"x",\r\n', to_number="+15550001111", metadata={"a": "=b"})
    stack.sql("""insert into call_transcripts (call_id, call_created_at, organization_id, transcript_text, summary)
                 select id, created_at, organization_id, %s, '@sum' from calls where id = %s""", "-AI: \"Hi\",\r\nthere\u2028 é😀", one)
    row, = csv.DictReader(io.StringIO(text(alice.ask("GET", f"{PATH}/export?format=csv&transcripts=true&status=failed")), newline=""))
    assert (row["recipient_name"], row["recipient_number"], row["summary"]) == ("'=1+\"x\",\r\n", "+15550001111", "'@sum")
    assert row["transcript"] == "'-AI: \"Hi\",\r\nthere\u2028 é😀" and json.loads(row["metadata"]) == {"a": "=b"}
    line = json.loads(text(alice.ask("GET", f"{PATH}/export?transcripts=true&recipient_number=%2B15550001111")))
    assert line["transcript"] == {"summary": "@sum", "transcript": "-AI: \"Hi\",\r\nthere\u2028 é😀", "segments": []}
    assert "transcript" not in json.loads(text(alice.ask("GET", f"{PATH}/export?status=failed")))
    for query, n in [("status=completed", 5), ("direction=inbound", 0), ("direction=outbound", 6), (f"template_id={uuid.uuid4()}", 0),
                     ("created_from=2999-01-01T00:00:00Z", 0), ("created_to=2999-01-01T00:00:00Z", 6)]:
        assert text(alice.ask("GET", f"{PATH}/export?{query}")).count("\n") == n, query
        assert text(alice.ask("GET", f"{PATH}/export?format=csv&{query}")).count("Pat") == min(n, 5), query


def test_long_transcripts_make_pages_smaller(stack, alice):
    """What a page holds is bounded by its bytes too."""
    many(stack, alice, 40)
    stack.sql("""insert into call_transcripts (call_id, call_created_at, organization_id, transcript_text)
                 select id, created_at, organization_id, repeat('word ', 60000) from calls""")
    with gate(stack) as pages:
        lines = text(alice.ask("GET", f"{PATH}/export?transcripts=true")).split("\n")
        assert pages() == 10
    assert len(lines) == 41 and all(len(json.loads(line)["transcript"]["transcript"]) == 300000 for line in lines[:40])


@contextmanager
def gate(stack, closed=None):
    """Counts the pages that an export asks for; while the connection `closed` has a transaction open, the second one waits."""
    made = stack.value("select pg_get_functiondef('api.call_export'::regproc)")
    stack.sql("create sequence public.export_pages")
    stack.sql("grant usage on sequence public.export_pages to hookswitch_api")
    stack.sql(made.replace("\nbegin\n", """
begin
    perform nextval('public.export_pages');
    if p_after is not null then
        perform pg_advisory_xact_lock_shared(4711);
    end if;
""", 1))
    try:
        if closed:
            closed.execute("select pg_advisory_xact_lock(4711)")
        yield lambda: stack.value("select last_value from public.export_pages")
    finally:
        stack.sql(made)
        stack.sql("drop sequence public.export_pages")


def test_it_begins_before_it_can_end(stack, alice):
    many(stack, alice, 1500)
    with stack.connect() as holder, gate(stack, holder), alice.ask("GET", f"{PATH}/export", stream=True) as answer:
        lines = (line for line in answer.iter_lines(chunk_size=1) if line)
        newest = [json.loads(next(lines))["id"] for _ in range(500)]
        many(stack, alice, 3, recipient_name="Late")
        holder.rollback()
        rest = [json.loads(line) for line in lines]
    assert len(rest) == 1000 and not {call["id"] for call in rest} & set(newest)


def test_a_client_that_goes_away_ends_it(stack, alice):
    """At the first page that nobody takes: of forty it is the second."""
    many(stack, alice, 20000)
    host, port = stack.url.split("/")[2].split(":")
    with stack.connect() as holder, gate(stack, holder) as pages:
        with socket.create_connection((host, int(port)), 60) as s:
            s.sendall(f"GET {PATH}/export HTTP/1.1\r\nHost: x\r\nAuthorization: {alice.headers['Authorization']}\r\n\r\n".encode())
            got = b""
            while got.count(b"}\n") < 500 and (piece := s.recv(1 << 16)):
                got += piece
            wait_until(lambda: pages() == 2, what="the second page to be asked for")
        ident = re.search(rb"X-Request-Id: ([0-9a-f]+)", got, re.I).group(1).decode()
        wait_until(lambda: f"request_id={ident}" in (stack.folder / "access.txt").read_text(), what="nginx to see it")
        holder.rollback()
        wait_until(lambda: f"request_id={ident}" in stack.programs["calls"].text(), what="the end of the request")
        assert pages() == 2
    assert len(alice.get(PATH)["data"]) == 20


def test_an_export_of_a_million_calls_begins_at_once_and_takes_no_memory(plain_stack, full):
    """The program is no larger at the end than at the beginning; in the full form the first bytes take a hundredth of the time."""
    stack, total = plain_stack, 1_000_000 if full else 20_000
    stack.reset()
    alice = stack.user("alice")
    many(stack, alice, total)
    alice.ask("GET", f"{PATH}/export?created_to=2001-01-01T00:00:00Z")
    pid, began = stack.programs["calls"].pid, time.monotonic()
    before, lines, largest, first = resident(pid), 0, 0, None
    with alice.ask("GET", f"{PATH}/export", stream=True, timeout=1800) as answer:
        for number, piece in enumerate(answer.iter_content(1 << 16)):
            first = first or time.monotonic() - began
            lines += piece.count(b"\n")
            if number % 50 == 0:
                largest = max(largest, resident(pid))
    whole = time.monotonic() - began
    print(f"{total} calls: the first byte after {first:.3f} s, the last after {whole:.1f} s, {(largest - before) / 1024:.0f} kB more memory")
    assert lines == total and largest - before < 16 * 1024 * 1024
    assert not full or first * 100 < whole


# ---- batches -----------------------------------------------------------------------


@pytest.fixture
def template(stack):
    """A template that can be said."""
    stack.provider("vapi")
    return stack.template()


def item(stack, template, **fields):
    """One call of a batch."""
    return {"recipient_number": stack.number(), "template_id": template, **fields}


def test_each_call_of_a_batch_is_taken_or_refused_by_itself(stack, alice, template):
    gone = str(uuid.uuid4())
    calls = [item(stack, template), item(stack, gone), {"template_id": template, "recipient_number": "12", "wrong": 1}, 7, item(stack, template, priority=3)]
    found = alice.post(f"{PATH}/batch", {"calls": calls, "on_error": "continue"}, expect=201)
    assert (found["taken"], found["refused"]) == (2, 3) and [c["priority"] for c in found["data"]] == [5, 3]
    assert [(r["index"], r["call_id"] is not None) for r in found["results"]] == [(0, True), (1, False), (2, False), (3, False), (4, True)]
    assert [c["id"] for c in found["data"]] == [r["call_id"] for r in found["results"] if r["call_id"]]
    assert [(e["field"], e["code"]) for e in found["results"][1]["errors"]] == [("calls.1.template_id", "template_not_found")]
    assert {(e["field"], e["code"]) for e in found["results"][2]["errors"]} == {("calls.2.recipient_number", "e164"), ("calls.2.wrong", "unknown")}
    assert [(e["field"], e["code"]) for e in found["results"][3]["errors"]] == [("calls.3", "object")]
    assert stack.count("call_queue") == stack.count("calls") == 2


def test_a_batch_of_which_nothing_is_taken_is_refused_with_all_reasons(stack, alice, template):
    wrong = [item(stack, str(uuid.uuid4())), {"recipient_number": "x"}]
    refused = problem(alice.ask("POST", f"{PATH}/batch", {"calls": wrong, "on_error": "continue"}), 422, "batch_refused")
    assert {e["field"] for e in refused["errors"]} == {"calls.0.template_id", "calls.1.recipient_number", "calls.1.template_id"}
    stopped = problem(alice.ask("POST", f"{PATH}/batch", {"calls": [item(stack, template), *wrong]}), 400, "bad_fields")
    assert {e["field"] for e in stopped["errors"]} == {"calls.2.recipient_number", "calls.2.template_id"}
    for unsaid in ({"on_error": "stop"}, {}):
        refused = problem(alice.ask("POST", f"{PATH}/batch", {"calls": [item(stack, template), wrong[0]], **unsaid}), 422, "template_not_found")
        assert [e["field"] for e in refused["errors"]] == ["calls.1.template_id"]
    assert stack.count("calls") == 0


def test_a_batch_with_a_key_is_answered_the_same_again(stack, alice, template):
    who = alice.with_headers(Idempotency_Key="batch-1")
    body = {"calls": [item(stack, template), item(stack, str(uuid.uuid4()))], "on_error": "continue"}
    first, second = who.ask("POST", f"{PATH}/batch", body), who.ask("POST", f"{PATH}/batch", body)
    assert first.status_code == second.status_code == 201 and first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true" and stack.count("calls") == 1
    none = {"calls": [item(stack, str(uuid.uuid4()))], "on_error": "continue"}
    for _ in range(2):
        again = alice.with_headers(Idempotency_Key="batch-2").ask("POST", f"{PATH}/batch", none)
        problem(again, 422, "batch_refused")
        assert "Idempotent-Replayed" not in again.headers, "a refusal is computed again"
    assert alice.with_headers(Idempotency_Key="batch-2").post(f"{PATH}/batch", {"calls": [item(stack, template)]}, expect=201)["taken"] == 1


# ---- feedback -----------------------------------------------------------------------


def test_feedback_is_given_once_by_each_and_changed_by_its_giver(stack, alice, bob):
    call = over(stack, alice)
    path = f"{PATH}/{call}/feedback"
    first = alice.post(path, {"rating": 2, "comments": "Hm."}, expect=201)
    assert (first["user_id"], first["key_id"], first["rating"], first["comments"]) == (alice.id, None, 2, "Hm.")
    again = alice.post(path, {"rating": 4}, expect=201)
    assert (again["id"], again["rating"], again["comments"]) == (first["id"], 4, None)
    assert alice.expect("PATCH", path, {"comments": "Better."})["rating"] == 4
    assert alice.expect("PATCH", path, {"rating": 5, "comments": None})["comments"] is None
    key = stack.api_key(alice.organization)
    assert key.post(path, {"rating": 1}, expect=201)["key_id"] == str(stack.value("select id from api_keys"))
    assert [f["rating"] for f in alice.get(path)["data"]] == [1, 5]
    numbers = alice.get(f"{PATH}/analytics")["total"]
    assert (numbers["feedback_count"], numbers["feedback_average"]) == (2, 3)
    assert alice.ask("DELETE", path).status_code == 204
    problem(alice.ask("DELETE", path), 404, "feedback_not_found")
    problem(alice.ask("PATCH", path, {"rating": 1}), 404, "feedback_not_found")
    assert [f["rating"] for f in alice.get(path)["data"]] == [1]
    for method, body in (("GET", None), ("POST", {"rating": 1}), ("PATCH", {"rating": 1}), ("DELETE", None)):
        problem(bob.ask(method, path, body), 404, "call_not_found")


def test_feedback_that_cannot_be_is_refused(stack, alice, template):
    call, = stack.schedule(1, alice, template, scheduled_time="2099-01-01T00:00:00Z")
    problem(alice.ask("POST", f"{PATH}/{call}/feedback", {"rating": 3}), 409, "call_not_ended")
    done = over(stack, alice)
    for body in ({"rating": 0}, {"rating": 6}, {"rating": 2.5}, {"rating": "5"}, {"comments": "x"}, {"rating": 1, "comments": "x" * 4001}, {"rating": None}):
        problem(alice.ask("POST", f"{PATH}/{done}/feedback", body), 400, "bad_fields")
    assert stack.count("call_feedback") == 0
