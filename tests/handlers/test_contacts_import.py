"""Files of contacts: /api/v1/contacts/imports and /api/v1/contacts/export, streamed, broken off, and gone on with."""

import http.client
import os
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from stack import Stack, build_dir
from stack_client import check_response, problem
from stack_process import resident, wait_until

ROOT = "/api/v1/contacts"
IMPORTS = ROOT + "/imports"
CSV = {"Content-Type": "text/csv"}
BATCH = 1000


def begin(who, **options):
    """A new import; its path."""
    return f"{IMPORTS}/{who.post(IMPORTS, options, expect=201)['id']}"


def send(who, path, text, expect=200):
    """The file, whole; answers the import, or the error."""
    answer = who.ask("PUT", path + "/file", text if isinstance(text, bytes) else text.encode(), headers=CSV)
    if expect >= 400:
        return problem(answer, expect)
    assert answer.status_code == expect, answer.text
    return answer.json()


def rows(first, last, name="Person"):
    """Lines of a file with these numbers."""
    return "".join(f"+1555{n:07d},{name} {n},p{n}@example.com,a;b,gold\r\n" for n in range(first, last))


HEAD = "phone_number,name,email,tags,level\r\n"


def counts(found):
    """What became of the rows."""
    return tuple(found["rows_" + what] for what in ("read", "created", "updated", "skipped", "failed"))


def errors_of(who, path):
    """All errors of an import as (line, field, code)."""
    found, after = [], ""
    while after is not None:
        page = who.get(f"{path}/errors?limit=100{after and '&after=' + after}")
        found += [(e["line"], e["field"], e["code"]) for e in page["data"]]
        after = page["next_cursor"]
    return found


class Upload:
    """A PUT whose body comes as the test lets it."""

    def __init__(self, stack, who, path, length):
        url = urlsplit(stack.url)
        self.http = http.client.HTTPConnection(url.hostname, url.port, timeout=120)
        self.path = path + "/file"
        self.http.putrequest("PUT", self.path)
        for name, value in {**who.headers, **CSV, "Content-Length": str(length)}.items():
            self.http.putheader(name, value)
        self.http.endheaders()

    def send(self, text):
        """More of the body."""
        self.http.send(text.encode())

    def answer(self):
        """(status, body) once all was sent."""
        got = self.http.getresponse()
        return got.status, check_response("PUT", self.path, got).decode()

    def close(self):
        """The client goes."""
        self.http.close()


# ---- what becomes of rows -----------------------------------------------------------------


def test_a_file_becomes_contacts(alice):
    path = begin(alice, name="first")
    found = send(alice, path, HEAD + "+15550100001,Ann,ann@example.com,vip; new,gold\r\n+15550100002,\"Bob \"\"B\"\"\nBrown\",,,\r\n")
    assert found == alice.get(path) and counts(found) == (2, 2, 0, 0, 0) and found["status"] == "done"
    assert found["columns"] == ["phone_number", "name", "email", "tags", "level"] and found["created_by"] == alice.id
    bob, ann = alice.get(ROOT)["data"]
    assert (ann["name"], ann["email"], ann["tags"], ann["custom_fields"]) == ("Ann", "ann@example.com", ["vip", "new"], {"level": "gold"})
    assert (bob["name"], bob["email"], bob["tags"], bob["source"]) == ('Bob "B"\nBrown', None, [], "import")
    assert send(alice, path, HEAD + "+15550100001,Ann,ann@example.com,vip; new,gold\r\n+15550100002,\"Bob \"\"B\"\"\nBrown\",,,\r\n") == found


def test_each_wrong_row_is_named_and_the_others_are_taken(alice):
    text = (b"\xef\xbb\xbfPhone Number,Name,E-mail,email,do_not_call\n" b"+15550100001,Ann,,ann@example.com,\n" b"555-0100,Bob,,bob@,perhaps\n" b"\n"
            b"+15550100002,\xff,,,\n" b"+15550100003,a\0b,,,\n" b'+15550100004,"two\nlines",,,TRUE\n' b'+15550100005,"x"y,,,\n'
            b"+15550100006," + b"x" * 201 + b",,,\n" b"+15550100007," + b"x" * 200000 + b",,,\n" b",no number,,,\n" b"+15550100008,a,b,,,,\n"
            b"+15550100009,last,,,false")
    wrong = [(3, "phone_number", "e164"), (3, "email", "email"), (3, "do_not_call", "bool"), (5, "name", "text"), (6, "name", "text"),
             (9, None, "quotes"), (10, "name", "length"), (11, None, "too_long"), (12, "phone_number", "required"), (13, None, "columns")]
    for dry_run in (True, False):
        path = begin(alice, dry_run=dry_run)
        found = send(alice, path, text)
        assert counts(found) == (11, 3, 0, 0, 8) and found["errors_found"] == len(wrong), found
        assert errors_of(alice, path) == wrong
        assert len(alice.get(ROOT)["data"]) == (0 if dry_run else 3)
    last, two, _ = alice.get(ROOT)["data"]
    assert two["do_not_call"] is True and not last["do_not_call"] and last["name"] == "last" and last["custom_fields"] == {}


def test_doubles_are_passed_over_or_change_what_is_there(alice):
    text = HEAD + rows(1, 4) + rows(2, 3, "Again")
    assert counts(send(alice, begin(alice, dry_run=True), text)) == (4, 3, 0, 1, 0)
    assert counts(send(alice, begin(alice), text)) == (4, 3, 0, 1, 0)
    assert counts(send(alice, begin(alice, dry_run=True, on_duplicate="update"), text)) == (4, 0, 4, 0, 0)
    assert alice.get(f"{ROOT}?q=Again")["data"] == []
    assert counts(send(alice, begin(alice, on_duplicate="update"), text)) == (4, 0, 4, 0, 0)
    assert [c["phone_number"] for c in alice.get(f"{ROOT}?q=Again")["data"]] == ["+15550000002"]


def test_a_head_that_cannot_be_taken_is_refused_and_another_one_may_follow(alice):
    path = begin(alice, unknown_columns="refuse")
    for head, fields in (("", []), ("name\n", []), ("phone_number,level,x\n", ["columns.1", "columns.2"]), ("phone_number,name,Name\n", ["columns.2"])):
        found = send(alice, path, head, expect=422)
        assert found["code"] == "import_head_invalid" and [e["field"] for e in found["errors"]] == fields, found
    assert alice.get(path)["status"] == "waiting"
    assert counts(send(alice, path, "phone_number\n+15550100001\n")) == (1, 1, 0, 0, 0)


def test_only_csv_is_taken_and_only_from_who_may(stack, alice):
    path = begin(alice)
    problem(alice.ask("PUT", path + "/file", {}), 415, "unsupported_media_type")
    problem(stack.anybody().ask("PUT", path + "/file", b"x", headers=CSV), 401, "unauthenticated")
    problem(stack.api_key(alice.organization, ("contacts:read",)).ask("PUT", path + "/file", b"x", headers=CSV), 403, "scope_missing")
    problem(alice.ask("PUT", f"{IMPORTS}/{alice.id}/file", b"x", headers=CSV), 404, "import_not_found")
    assert alice.ask("DELETE", path).status_code == 204
    problem(alice.ask("GET", path), 404, "import_not_found")


def test_who_may_not_is_told_before_the_file_is_read(stack, alice):
    """The body is said to be a gigabyte, and none of it ever comes."""
    path = begin(alice)
    upload = Upload(stack, stack.anybody(), path, 1 << 30)
    status, body = upload.answer()
    assert status == 401 and '"unauthenticated"' in body
    upload.close()


# ---- broken off, and gone on with ---------------------------------------------------------


def held(stack, alice, path, whole, batches):
    """An upload whose first batches are committed, and that then waits for more."""
    upload = Upload(stack, alice, path, len(whole))
    upload.send(whole[:len(HEAD) + len(rows(0, batches * BATCH + 10))])
    wait_until(lambda: alice.get(path)["rows_read"] == batches * BATCH, what="the first batches")
    return upload


def test_progress_is_seen_and_one_request_reads_the_file_at_a_time(stack, alice):
    whole = HEAD + rows(0, 2 * BATCH + 500)
    path = begin(alice)
    upload = held(stack, alice, path, whole, 2)
    found = alice.get(path)
    assert found["status"] == "running" and found["rows_created"] == 2 * BATCH and found["line"] == 2 * BATCH + 2
    answer = alice.ask("PUT", path + "/file", whole.encode(), headers=CSV)
    problem(answer, 409, "import_running")
    assert 1 <= int(answer.headers["Retry-After"]) <= 30
    upload.send(whole[len(HEAD) + len(rows(0, 2 * BATCH + 10)):])
    assert upload.answer()[0] == 200
    assert counts(alice.get(path)) == (2500, 2500, 0, 0, 0)


def test_whoever_took_over_is_the_only_one_who_writes(stack, alice):
    """Another request goes on once the lease is over; what the first one sends then is refused."""
    whole = HEAD + rows(0, 2 * BATCH)
    path = begin(alice)
    upload = held(stack, alice, path, whole, 1)
    stack.sql("update contact_imports set lease_until = now()")
    assert counts(send(alice, path, whole)) == (2000, 2000, 0, 0, 0)
    upload.send(whole[len(HEAD) + len(rows(0, BATCH + 10)):])
    status, body = upload.answer()
    assert status == 409 and '"import_taken_over"' in body
    assert alice.get(path)["status"] == "done" and stack.count("contacts") == 2000


def test_a_client_that_goes_may_come_again(stack, alice):
    whole = HEAD + rows(0, 3 * BATCH)
    path = begin(alice)
    upload = held(stack, alice, path, whole, 2)
    upload.close()
    wait_until(lambda: alice.get(path)["status"] == "interrupted", what="the end of the request")
    assert alice.get(path)["rows_created"] == 2 * BATCH
    for other in (whole.replace("Person 5,", "Person 6,"), whole[:1000], "x" + whole):
        assert send(alice, path, other, expect=409)["code"] == "import_file_differs"
    assert counts(send(alice, path, whole)) == (3000, 3000, 0, 0, 0)
    assert send(alice, path, whole + "+15550100001\r\n", expect=409)["code"] == "import_file_differs"


def test_a_kill_in_the_middle_loses_nothing_and_doubles_nothing(stack, alice, full):
    """Killed while a batch waits for a row that somebody holds: the batch is gone, those before it are there."""
    total = 100000 if full else 3000
    at = total // 2 // BATCH * BATCH
    whole = HEAD + rows(0, at + 7) + "broken,row\r\n" + rows(at + 7, total)
    path = begin(alice)
    stack.insert("contacts", organization_id=alice.organization, phone_number=f"+1555{at + 500:07d}", name="held")
    stack.sql("update contact_imports set on_duplicate = 'update'")
    with stack.connect() as blocker, ThreadPoolExecutor(1) as pool:
        blocker.execute("select from contacts where name = 'held' for update")
        first = pool.submit(alice.with_headers().ask, "PUT", path + "/file", whole.encode(), headers=CSV, timeout=600)
        wait_until(lambda: stack.value("select rows_read from contact_imports") == at, 300, what="the batches before")
        wait_until(lambda: stack.value("select exists (select from pg_stat_activity where wait_event_type = 'Lock' and query like '%%contact_import_rows%%')"),
                   what="the batch in hand")
        stack.kill_program("contacts")
        assert first.result(120).status_code == 502
        stack.sql("select pg_terminate_backend(pid) from pg_stat_activity where query like '%%contact_import_rows%%' and wait_event_type = 'Lock'")
    stack.start_program("contacts")
    stack.sql("update contact_imports set lease_until = now()")
    found = alice.get(path)
    assert found["status"] == "interrupted" and found["rows_read"] == at
    found = send(alice, path, whole)
    assert counts(found) == (total + 1, total - 1, 1, 0, 1) and errors_of(alice, path) == [(at + 9, "phone_number", "e164")]
    assert stack.count("contacts") == total and stack.count("contacts", "name like 'Person %%'") == total


def test_a_program_that_is_to_end_commits_the_batch_in_hand(stack, alice):
    whole = HEAD + rows(0, 3 * BATCH)
    path = begin(alice)
    upload = held(stack, alice, path, whole, 1)
    stack.programs["contacts"].signal(15)
    upload.send(whole[len(HEAD) + len(rows(0, BATCH + 10)):])
    status, body = upload.answer()
    assert status == 503 and '"unavailable"' in body
    stack.programs["contacts"].wait()
    stack.start_program("contacts")
    assert alice.get(path)["rows_read"] == 2 * BATCH
    assert counts(send(alice, path, whole)) == (3000, 3000, 0, 0, 0)


def silent(stack, who, path, at):
    """An upload whose client says nothing more, once it is the at-th that is read."""
    upload = Upload(stack, who, path, 100)
    wait_until(lambda: stack.count("contact_imports", "fence = 1") == at, what="the file in hand")
    return upload


def test_an_organization_sends_two_files_at_one_time(stack, alice, bob):
    paths = [begin(alice) for _ in range(3)]
    uploads = [silent(stack, alice, path, at) for at, path in enumerate(paths[:2], 1)]
    answer = alice.ask("PUT", paths[2] + "/file", b"phone_number\n", headers=CSV)
    problem(answer, 429, "imports_busy")
    assert 1 <= int(answer.headers["Retry-After"]) <= 5 and alice.get(paths[2])["status"] == "waiting"
    assert send(bob, begin(bob), "phone_number\n")["status"] == "done"
    for upload in uploads:
        upload.close()
    wait_until(lambda: alice.ask("PUT", paths[2] + "/file", b"phone_number\n", headers=CSV).status_code == 200, what="room for another")


def test_a_file_that_stops_coming_is_given_up_and_goes_on_later(stack, alice):
    whole = HEAD + rows(0, 1500)
    path = begin(alice)
    with stack.other_settings("contacts", HOOKSWITCH_IMPORT_WAIT_SECONDS=1):
        upload = Upload(stack, alice, path, len(whole))
        upload.send(whole[:len(HEAD) + len(rows(0, 1200))])
        status, body = upload.answer()
    assert status == 408 and '"body_slow"' in body
    found = alice.get(path)
    assert found["status"] == "interrupted" and found["rows_read"] == 1000
    assert counts(send(alice, path, whole)) == (1500, 1500, 0, 0, 0)


def test_slow_files_leave_threads_for_everybody_else(stack, alice):
    """Of 16 threads eight read files whose clients say nothing more; the ninth file must wait, all else goes on."""
    people = [stack.user(f"p{n}") for n in range(8)]
    uploads = [silent(stack, who, begin(who), at) for at, who in enumerate(people, 1)]
    path = begin(alice)
    answer = alice.ask("PUT", path + "/file", b"phone_number\n", headers=CSV)
    problem(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) == 5 and len(alice.get(IMPORTS)["data"]) == 1
    for upload in uploads:
        upload.close()
    wait_until(lambda: alice.ask("PUT", path + "/file", b"phone_number\n", headers=CSV).status_code == 200, what="room for another")


def in_chunks(text):
    """A body whose length nobody is told."""
    for at in range(0, len(text), 5000):
        yield text[at:at + 5000].encode()


@pytest.mark.parametrize("stack", ["fastcgi", "cgi"], indirect=True)
def test_a_file_may_come_with_its_length_or_in_chunks(stack, alice):
    whole = HEAD + rows(0, 2 * BATCH + 1)
    assert counts(send(alice, begin(alice), whole)) == (2001, 2001, 0, 0, 0)
    path = begin(alice)
    answer = alice.ask("PUT", path + "/file", in_chunks(whole), headers=CSV)
    assert answer.status_code == 200 and counts(answer.json()) == (2001, 0, 0, 2001, 0), answer.text
    assert alice.get(path)["bytes"] == len(whole)


@pytest.fixture
def plain_stack(tmp_path):
    """Programs without sanitizers, whose memory says something."""
    plain = build_dir("HOOKSWITCH_PLAIN_BUILD_DIR")
    if not (plain / "handlers" / "contacts").exists():
        pytest.skip("there is no plain build")
    with Stack(tmp_path, build=plain) as running:
        yield running


def test_memory_stays_flat_whatever_the_size_of_the_file(plain_stack, full):
    stack, alice = plain_stack, plain_stack.user("alice")
    send(alice, begin(alice, dry_run=True), HEAD + rows(0, 2 * BATCH))
    pid = stack.programs["contacts"].program_pid() or stack.programs["contacts"].pid
    before = resident(pid)
    n = 100000 if full else 10000
    whole = HEAD + "".join(f"+1555{i:07d},{'x' * 200},,,{'y' * 300}\r\n" for i in range(n))
    assert counts(send(alice, begin(alice, dry_run=True), whole)) == (n, n, 0, 0, 0)
    assert len(whole) > 5_000_000 and resident(pid) - before < 4 * 1024 * 1024, (before, resident(pid))
    assert os.path.getsize(stack.folder / "contacts.log") < 100000


# ---- out again --------------------------------------------------------------------------------


def test_what_is_exported_can_be_imported_again(stack, alice, bob):
    odd = {"name": "=HYPERLINK(\"x\")", "company": "'=1", "notes": "two\r\nlines, a \"word\" and ;", "tags": ["+x", "b c"],
           "custom_fields": {"Since": True, "n": 1.5, "text": "-'\"ü"}, "email": "ann@example.com", "do_not_call": True}
    alice.post(ROOT, {"phone_number": "+15550100001", **odd}, expect=201)
    alice.post(ROOT, {"phone_number": "+15550100002"}, expect=201)
    stack.sql("""insert into contacts (organization_id, phone_number, name) select %s, '+1555' || (2000000 + n), 'n' || n
        from generate_series(1, 1200) n""", alice.organization)
    answer = alice.ask("GET", ROOT + "/export")
    assert answer.headers["Content-Type"].startswith("text/csv") and 'filename="contacts.csv"' in answer.headers["Content-Disposition"]
    assert answer.text.count("\r\n") == 1204 and not [line for line in answer.text.split("\r\n") if line[:1] in "=@-\t"[:-1] and line]
    assert '"\'=HYPERLINK' in answer.text and "\"''=1\"" in answer.text
    assert counts(send(bob, begin(bob), answer.text)) == (1202, 1202, 0, 0, 0)
    mine, theirs = alice.get(f"{ROOT}?q=%3DHYP")["data"][0], bob.get(f"{ROOT}?q=%3DHYP")["data"][0]
    same = ("phone_number", "name", "email", "company", "notes", "tags", "custom_fields", "do_not_call")
    assert [mine[k] for k in same] == [theirs[k] for k in same] == [{**odd, "phone_number": "+15550100001"}[k] for k in same]
    one = alice.ask("GET", f"{ROOT}/export?do_not_call=true").text
    assert one.startswith("phone_number,") and "+15550100001" in one and "+15550100002" not in one


def test_a_refusal_before_the_body_has_come_leaves_the_connection_whole(stack, alice):
    """The next request of the same connection is answered, whatever became of the file before it."""
    at = urlsplit(stack.url)
    connection = http.client.HTTPConnection(at.hostname, at.port, timeout=30)
    connection.putrequest("PUT", "/api/v1/contacts/imports/" + "00000000-0000-4000-8000-000000000000/file")
    for name, value in {**alice.headers, "Content-Type": "text/csv", "Content-Length": "10"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    time.sleep(0.3)  # a refusal that does not wait for the body is out by now
    connection.send(b"x" * 10)
    answer = connection.getresponse()
    assert answer.status == 404 and answer.read()
    assert not answer.will_close
    own = connection.sock
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200 and connection.sock is own
