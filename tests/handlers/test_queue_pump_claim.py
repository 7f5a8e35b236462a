"""Two claimers at once never exceed a cap.  A claim that locks and counts in one statement does, and is caught here."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from stack import wait_until

LIVE = "state in ('leased', 'sent', 'accepted', 'unknown')"
CLAIM = "select (calls_claim(100, 'test', 30) ->> 'claimed')::integer as n"

# Locks the provider and counts its live attempts at once: after the wait for the lock it still sees the old count.
NAIVE_PROVIDER = f"""
    with locked as (select id, max_concurrent_calls from call_service_providers where is_active for no key update),
    free as (select l.id, l.max_concurrent_calls - (
                 select count(*) from call_assignments a where a.provider_id = l.id and a.{LIVE}) as n from locked l),
    picked as (select q.id, f.id as provider from free f
                cross join lateral (select c.id from call_queue c where c.status = 'queued' and c.ready
                                     order by c.priority, c.due_at, c.position limit greatest(f.n, 0)
                                       for update skip locked) q)
    select cardinality(assignments_make(array_agg(id), array_agg(provider), 'naive', 30)) as n from picked"""

# The same fault with the organization's cap.
NAIVE_ORGANIZATION = f"""
    with locked as (select id, max_concurrent_calls from organizations where max_concurrent_calls is not null
                       for no key update),
    free as (select l.id, l.max_concurrent_calls - (
                 select count(*) from call_assignments a where a.organization_id = l.id and a.{LIVE}) as n from locked l),
    picked as (select q.id, (select id from call_service_providers) as provider from free f
                cross join lateral (select c.id from call_queue c where c.status = 'queued' and c.ready
                                       and c.organization_id = f.id
                                     order by c.priority, c.due_at, c.position limit greatest(f.n, 0)
                                       for update skip locked) q)
    select cardinality(assignments_make(array_agg(id), array_agg(provider), 'naive', 30)) as n from picked"""


def waits_for_lock(stack, pid):
    """Whether that session waits for another one."""
    return stack.value("select wait_event_type = 'Lock' from pg_stat_activity where pid = %s", pid)


def two_claim_at_once(stack, claim):
    """The second begins while the first has claimed and not committed; answers what each of them got."""
    with stack.connect() as one, stack.connect() as two:
        two.execute("select 1")
        first = one.execute(claim).fetchone().n or 0
        got = []
        thread = threading.Thread(target=lambda: got.append(two.execute(claim).fetchone().n or 0))
        thread.start()
        wait_until(lambda: waits_for_lock(stack, two.info.backend_pid) or not thread.is_alive(),
                   what="the second claimer at the lock")
        one.commit()
        thread.join(60)
        two.commit()
    return first, got[0]


def live(stack):
    """How many attempts hold a line."""
    return stack.count("call_assignments", LIVE)


@pytest.fixture
def waiting(stack):
    """Thirty calls that are ready; the one provider takes ten at once."""
    stack.provider("vapi", max_concurrent_calls=10)
    stack.template()
    calls = stack.schedule(30)
    stack.sql("select queue_promote()")
    return calls


def test_the_second_claimer_sees_what_the_first_one_took(stack, waiting):
    assert two_claim_at_once(stack, CLAIM) == (10, 0)
    assert live(stack) == 10


def test_a_claim_that_locks_and_counts_at_once_is_caught_beyond_the_providers_cap(stack, waiting):
    first, second = two_claim_at_once(stack, NAIVE_PROVIDER)
    assert first == 10 and second > 0 and live(stack) > 10


def test_the_same_holds_for_an_organizations_cap(stack, alice, waiting):
    stack.sql("update call_service_providers set max_concurrent_calls = 100")
    stack.sql("update organizations set max_concurrent_calls = 7 where id = %s", alice.organization)
    first, second = two_claim_at_once(stack, CLAIM)
    assert (first, second, live(stack)) == (7, 0, 7)


def test_a_claim_that_locks_and_counts_at_once_is_caught_beyond_an_organizations_cap(stack, alice, waiting):
    stack.sql("update call_service_providers set max_concurrent_calls = 100")
    stack.sql("update organizations set max_concurrent_calls = 7 where id = %s", alice.organization)
    first, second = two_claim_at_once(stack, NAIVE_ORGANIZATION)
    assert first == 7 and second > 0 and live(stack) > 7


def test_claiming_and_assigning_by_hand_at_once_keep_the_cap(stack, waiting):
    with stack.connect() as one, stack.connect() as two:
        two.execute("select 1")
        assert one.execute(CLAIM).fetchone().n == 10
        got = []
        assign = """select assign_call_to_provider((select id from call_queue where status = 'queued' limit 1),
                                                   (select id from call_service_providers)) as a"""
        thread = threading.Thread(target=lambda: got.append(two.execute(assign).fetchone().a))
        thread.start()
        wait_until(lambda: waits_for_lock(stack, two.info.backend_pid), what="the one who assigns at the lock")
        one.commit()
        thread.join(60)
    assert got == [None] and live(stack) == 10


def test_many_claimers_and_enders_at_once_never_exceed_any_cap(stack, full, alice, bob, waiting):
    """Claimers and enders run freely while a watcher counts in one snapshot after the other."""
    template = str(stack.value("select id from call_templates"))
    stack.provider("synthflow", max_concurrent_calls=4)
    stack.sql("update organizations set max_concurrent_calls = 6 where id = %s", alice.organization)
    total = 1500 if full else 200
    stack.schedule(total - 30, bob, template)
    over, worst = threading.Event(), {}

    def claimer(_):
        with stack.connect(autocommit=True) as db:
            while not over.is_set():
                db.execute("select queue_promote()")
                db.execute(CLAIM)

    def ender(_):
        with stack.connect(autocommit=True) as db:
            while not over.is_set():
                with db.transaction():
                    db.execute("""with gone as (select id from call_assignments where state = 'leased'
                                                 order by random() limit 3 for update skip locked)
                                  update call_assignments a set state = 'absent', finished_at = now(), outcome = 'absent'
                                    from gone where a.id = gone.id""")
                    db.execute("""update call_queue q set status = 'failed' where status = 'in-progress' and not exists (
                        select from call_assignments a where a.call_id = q.id and a.state = 'leased')""")

    def watcher(_):
        with stack.connect(autocommit=True) as db:
            while not over.is_set():
                for row in db.execute(f"""select 'p' || provider_id as what, count(*) as n from call_assignments
                        where {LIVE} group by 1 union all select 'o' || organization_id, count(*)
                         from call_assignments where {LIVE} group by 1"""):
                    worst[row.what] = max(worst.get(row.what, 0), row.n)

    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(work, n) for n, work in enumerate([claimer] * 4 + [ender] * 2 + [watcher])]
        try:
            until = time.monotonic() + 300
            while stack.count("call_queue", "status in ('queued', 'in-progress')") and time.monotonic() < until:
                assert not any(job.done() for job in jobs), [job.exception() for job in jobs if job.done()]
                time.sleep(0.05)
        finally:
            over.set()
        for job in jobs:
            job.result(60)
    assert stack.count("call_queue", "status in ('queued', 'in-progress')") == 0
    caps = dict(stack.sql("""select 'p' || id, max_concurrent_calls from call_service_providers
                             union all select 'o' || id, max_concurrent_calls from organizations
                              where max_concurrent_calls is not null"""))
    for what, cap in caps.items():
        assert 0 < worst[what] <= cap, (what, worst, caps)
    assert stack.count("call_assignments") == total
