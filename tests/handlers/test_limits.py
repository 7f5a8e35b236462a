"""Rate limits: exact whoever counts, PostgreSQL or Redis; one bucket each for a key or person, an organization and an
address; what is told of them; and a Redis that goes away."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from stack import GENEROUS, Stack
from stack_client import problem
from stack_process import wait_until

from redis_server import Redis

PATH = "/api/v1/calls?limit=1"
CLIENTS, RATE, BURST, WINDOW = 16, 3000, 40, 2.0


def limits(whom, rate, burst):
    """Settings of one of the three."""
    return {**GENEROUS, f"HOOKSWITCH_RATE_PER_{whom}": rate, f"HOOKSWITCH_BURST_PER_{whom}": burst}


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    """A real Redis."""
    with Redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def stack_of_file(tmp_path_factory):
    """Only what is asked for here; limits are set by each test."""
    with Stack(tmp_path_factory.mktemp("limits"), start=("calls", "status")) as running:
        yield running


@pytest.fixture(params=["postgresql", "pooler", "redis"])
def limited(request, stack, redis):
    """Starts the programs with limits; the same three ways.  Answers a function that sets them."""
    redis.start()
    redis.flush()
    more = {"postgresql": {}, "pooler": {"HOOKSWITCH_DB_PREPARE": "off"}, "redis": {"REDIS_URL": redis.url}}

    def set_limits(**settings):
        restart(stack, {"HOOKSWITCH_DB_PREPARE": "on", "REDIS_URL": None, **more[request.param], **settings})
    yield set_limits
    restart(stack, {"HOOKSWITCH_DB_PREPARE": "on", "REDIS_URL": None, **GENEROUS})


def restart(stack, settings):
    """The programs with these settings, and with full buckets."""
    stack.settings_write(**settings)
    stack.sql("delete from rate_buckets")
    for name in stack.first:
        stack.start_program(name)


def told(answer):
    """RateLimit-Limit, -Remaining, -Reset."""
    return tuple(int(answer.headers[f"RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset"))


def hammer(clients, seconds):
    """All of them ask as fast as they can; answers (admitted, refused, seconds from the first to the last)."""
    end = time.monotonic() + seconds

    def one(who):
        seen = {200: 0, 429: 0}
        while time.monotonic() < end:
            seen[who.ask("GET", PATH).status_code] += 1
        return seen

    began = time.monotonic()
    with ThreadPoolExecutor(len(clients)) as pool:
        seen = list(pool.map(one, clients))
    return sum(s[200] for s in seen), sum(s[429] for s in seen), time.monotonic() - began


def test_two_who_come_first_at_once_are_both_let_in(stack):
    """The second one's update saw no bucket yet, and then there is one, with plenty in it."""
    stack.sql("""create function held() returns trigger language plpgsql as 'begin perform pg_advisory_xact_lock(99); return null; end';
                 create trigger held before update on rate_buckets for each statement execute function held()""")
    try:
        with stack.connect() as first, ThreadPoolExecutor(1) as pool:
            first.execute("select pg_advisory_xact_lock(99)")
            second = pool.submit(stack.connect(autocommit=True).execute, "select rate_take('new', 1000, 1000)")
            wait_until(lambda: stack.value("select exists (select from pg_locks where locktype = 'advisory' and not granted)"),
                       what="the second one to wait")
            stack.sql("insert into rate_buckets values ('new', (extract(epoch from clock_timestamp()) * 1000000)::bigint + 1000)")
            first.rollback()
            assert second.result(30).fetchone()[0] > 0
    finally:
        stack.sql("drop trigger held on rate_buckets; drop function held()")


def check_exact(admitted, refused, took):
    """Never more than burst + rate x time, and hardly fewer while all of them ask all the time."""
    assert refused > CLIENTS, "nobody was refused: too few requests to tell anything"
    assert admitted <= BURST + RATE / 60 * took, f"{admitted} in {took:.3f} s"
    assert admitted >= BURST + RATE / 60 * (WINDOW - 0.5), f"only {admitted} in {took:.3f} s"


def test_a_key_gets_its_burst_and_its_rate_and_not_one_more(stack, limited):
    limited(**limits("KEY", RATE, BURST))
    alice = stack.user("alice")
    key = stack.key(alice.organization)
    stack.sql("delete from rate_buckets")
    check_exact(*hammer([alice.with_headers(Authorization=f"Bearer {key}") for _ in range(CLIENTS)], WINDOW))


def test_an_organization_shares_one_bucket_among_all_its_keys_and_people(stack, limited):
    limited(**limits("ORGANIZATION", RATE, BURST))
    alice = stack.user("alice")
    stack.sql("delete from rate_buckets")
    keys = [alice.with_headers(Authorization=f"Bearer {stack.key(alice.organization)}") for _ in range(CLIENTS // 2)]
    people = [alice.with_headers() for _ in range(CLIENTS // 2)]
    began = time.monotonic()
    admitted, refused, _ = hammer(keys + people, WINDOW)
    check_exact(admitted + 1, refused, time.monotonic() - began + 1)
    assert stack.user("bob").ask("GET", PATH).status_code == 200, "another organization has its own"


def test_what_is_told(stack, limited):
    limited(**limits("KEY", 60, 5))
    alice = stack.api_key(stack.user("alice"))
    for left in (4, 3, 2, 1, 0):
        answer = alice.ask("GET", PATH)
        assert answer.status_code == 200
        assert told(answer)[:2] == (5, left)
        assert 5 - left - 1 <= told(answer)[2] <= 5 - left
    refused = alice.ask("GET", PATH)
    problem(refused, 429, "rate_limited")
    assert told(refused)[:2] == (5, 0) and 4 <= told(refused)[2] <= 5
    assert refused.headers["Retry-After"] == "1"


def test_what_is_refused_for_another_reason_counts_too(stack, limited):
    limited(**limits("KEY", 60, 4))
    who = stack.api_key(stack.user("alice"))
    problem(who.ask("GET", "/api/v1/calls/00000000-0000-4000-8000-000000000000"), 404, "call_not_found")
    problem(who.ask("GET", PATH + "&x=1"), 400, "bad_fields")
    other = who.with_headers(X_Organization_Id=stack.user("bob").organization)
    problem(other.ask("GET", PATH), 403, "organization_mismatch")
    answer = who.ask("POST", "/api/v1/calls", {"x": 1}, headers={"Idempotency-Key": "k"})
    problem(answer, 400, "bad_fields")
    assert told(answer)[1] == 0
    problem(other.ask("GET", PATH), 429, "rate_limited")
    problem(who.ask("GET", "/api/v1/calls/00000000-0000-4000-8000-000000000000/recording"), 429, "rate_limited")


def test_an_idempotent_post_counts_each_time(stack, limited):
    limited(**limits("KEY", 1, 3))
    stack.provider("vapi")
    body = {"recipient_number": stack.number(), "template_id": stack.template()}
    alice = stack.api_key(stack.user("alice"))
    first, again = (alice.ask("POST", "/api/v1/calls", body, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, told(first)[1]) == (201, 2)
    assert (again.headers["Idempotent-Replayed"], told(again)[1]) == ("true", 1)
    assert first.content == again.content
    assert alice.ask("GET", PATH).status_code == 200
    problem(alice.ask("POST", "/api/v1/calls", body, headers={"Idempotency-Key": "k"}), 429, "rate_limited")
    assert stack.count("calls") == 1


def test_a_refusal_by_the_organization_takes_nothing_from_the_key(stack, limited):
    limited(**{**limits("KEY", 1, 10), **limits("ORGANIZATION", 60, 2), "HOOKSWITCH_RATE_PER_KEY": 1,
               "HOOKSWITCH_BURST_PER_KEY": 10})
    alice = stack.user("alice")
    who = stack.api_key(alice)
    wait_until(lambda: who.ask("GET", PATH).status_code == 429, what="the organization's limit")
    for _ in range(3):
        assert told(who.ask("GET", PATH))[0] == 2
    time.sleep(2.1)
    seen = [who.ask("GET", PATH).status_code for _ in range(2)]
    assert seen == [200, 200], "the key has some left, since refusals cost it nothing"


def test_made_up_keys_are_counted_by_address_and_leave_no_buckets(stack, limited):
    limited(**limits("ADDRESS", 1, 5))
    answers = [stack.anybody().with_headers(X_API_Key=f"hsk_{i}").ask("GET", PATH) for i in range(7)]
    assert [a.status_code for a in answers] == [401] * 5 + [429] * 2
    assert stack.count("rate_buckets", "key not like 'address:%%'") == 0
    assert stack.user("alice").ask("GET", PATH).status_code == 200, "who is known has a bucket of his own"


def test_without_a_limit_nothing_is_told_and_nothing_is_kept(stack, limited):
    limited(**{name: 0 for name in GENEROUS if "RATE" in name})
    answer = stack.user("alice").ask("GET", PATH)
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("RateLimit")]
    assert stack.count("rate_buckets") == 0


def test_health_and_numbers_are_not_limited(stack, limited):
    limited(**{**limits("ADDRESS", 1, 1)})
    for path in ("/healthz", "/readyz", "/metrics"):
        for _ in range(3):
            answer = stack.anybody().ask("GET", path)
            assert answer.status_code == 200 and "RateLimit-Limit" not in answer.headers


def test_full_buckets_are_removed(stack):
    restart(stack, limits("KEY", 6000, 10))
    stack.api_key(stack.user("alice")).get(PATH)
    stack.user("bob")
    stack.sql("insert into rate_buckets values ('later', (extract(epoch from now() + interval '1 hour') * 1e6)::bigint)")
    wait_until(lambda: stack.pump() and stack.sql("select key from rate_buckets") == [("later",)], what="upkeep")


def test_redis_goes_away_and_comes_back(stack, redis):
    redis.start()
    restart(stack, {**limits("KEY", 60, 6), "REDIS_URL": redis.url})
    who = stack.api_key(stack.user("alice"))
    assert [who.ask("GET", PATH).status_code for _ in range(2)] == [200, 200]
    assert stack.anybody().get("/readyz") == {"status": "ready", "redis": "ok"}
    assert stack.count("rate_buckets") == 0, "Redis counts"

    redis.stop()
    assert [who.ask("GET", PATH).status_code for _ in range(8)] == [200] * 6 + [429] * 2, "PostgreSQL counts"
    assert stack.anybody().get("/readyz") == {"status": "ready", "redis": "unavailable"}
    assert "\nhookswitch_redis_up 0\n" in stack.anybody().ask("GET", "/metrics").text
    log = stack.programs["calls"].text()
    assert log.count("event=redis_unavailable") == 1, log

    redis.start()
    wait_until(lambda: who.ask("GET", PATH).status_code == 200, what="the end of the fall-back")
    assert stack.anybody().get("/readyz") == {"status": "ready", "redis": "ok"}
    assert "\nhookswitch_redis_up 1\n" in stack.anybody().ask("GET", "/metrics").text
    assert stack.programs["calls"].text().count("event=redis_back") == 1
    restart(stack, {**GENEROUS, "REDIS_URL": None})
