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
CLIENTS, RATE, BURST, WINDOW = 16, 600, 40, 2.0


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
    """All of them ask as fast as they can, and each until it was refused: for each request when it was asked, when it was
    answered, and how."""
    end = time.monotonic() + seconds

    def one(who):
        seen = []
        while time.monotonic() < end or 429 not in {status for _, _, status in seen}:
            asked = time.monotonic()
            status = who.ask("GET", PATH).status_code
            seen.append((asked, time.monotonic(), status))
            assert status in (200, 429) and len(seen) < 10000
        return seen

    with ThreadPoolExecutor(len(clients)) as pool:
        return sum(pool.map(one, clients), [])


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


def check_exact(seen, before=0):
    """Never more than burst + rate x time; nor fewer: when somebody is refused all that there was is used up."""
    admitted = before + sum(status == 200 for _, _, status in seen)
    most = max(done for _, done, _ in seen) - min(asked for asked, _, _ in seen)
    least = max(asked for asked, _, status in seen if status == 429) - min(done for _, done, _ in seen)
    assert admitted <= BURST + RATE / 60 * (most + before), f"{admitted} in {most:.3f} s"
    assert admitted > BURST + RATE / 60 * least - 1, f"only {admitted} in {least:.3f} s"


def test_a_key_gets_its_burst_and_its_rate_and_not_one_more(stack, limited):
    limited(**limits("KEY", RATE, BURST))
    alice = stack.user("alice")
    key = stack.key(alice.organization)
    stack.sql("delete from rate_buckets")
    check_exact(hammer([alice.with_headers(Authorization=f"Bearer {key}") for _ in range(CLIENTS)], WINDOW))


def test_an_organization_shares_one_bucket_among_all_its_keys_and_people(stack, limited):
    limited(**limits("ORGANIZATION", RATE, BURST))
    alice = stack.user("alice")
    stack.sql("delete from rate_buckets")
    keys = [alice.with_headers(Authorization=f"Bearer {stack.key(alice.organization)}") for _ in range(CLIENTS // 2)]
    people = [alice.with_headers() for _ in range(CLIENTS // 2)]
    check_exact(hammer(keys + people, WINDOW))
    assert stack.user("bob").ask("GET", PATH).status_code == 200, "another organization has its own"


def test_what_is_told(stack, limited):
    limited(**limits("KEY", 1, 5))
    alice = stack.api_key(stack.user("alice"))
    for left in (4, 3, 2, 1, 0):
        answer = alice.ask("GET", PATH)
        assert answer.status_code == 200
        assert told(answer)[:2] == (5, left)
        assert 60 * (5 - left - 1) < told(answer)[2] <= 60 * (5 - left)
    refused = alice.ask("GET", PATH)
    problem(refused, 429, "rate_limited")
    assert told(refused)[:2] == (5, 0) and 240 < told(refused)[2] <= 300
    assert 0 < int(refused.headers["Retry-After"]) <= 60


def test_what_is_refused_for_another_reason_counts_too(stack, limited):
    limited(**limits("KEY", 1, 4))
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


def forget_organization(stack, redis, who):
    """Its bucket is full again, whoever counts."""
    stack.sql("delete from rate_buckets where key = %s", f"organization:{who.organization}")
    redis.ask("del", f"hookswitch:organization:{who.organization}")


def test_a_refusal_by_the_organization_takes_nothing_from_the_key(stack, limited, redis):
    limited(**{**limits("ORGANIZATION", 1, 2), "HOOKSWITCH_RATE_PER_KEY": 1, "HOOKSWITCH_BURST_PER_KEY": 4})
    alice = stack.user("alice")
    who = stack.api_key(alice)
    forget_organization(stack, redis, alice)
    assert [who.ask("GET", PATH).status_code for _ in range(5)] == [200] * 2 + [429] * 3
    assert told(who.ask("GET", PATH))[0] == 2
    forget_organization(stack, redis, alice)
    seen = [who.ask("GET", PATH).status_code for _ in range(3)]
    assert seen == [200, 200, 429], "the key has had two left, since refusals cost it nothing"


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
    restart(stack, {**limits("KEY", 1, 6), "REDIS_URL": redis.url})
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
