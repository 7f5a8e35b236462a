"""Limits of plans as customers meet them: who is let in when many come at once, who is told to wait, and what is counted."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from stack import wait_until

MANY, LEFT = 100, 10
LOCK = "hashtextextended('plan ' || %s, 11)"


@pytest.fixture
def plan(stack, alice):
    """Gives alice a plan: plan(call_limit=10)."""
    def give(**columns):
        ident = stack.insert("subscription_plans", **{"name": "tests", "price": 1, "limit_mode": "hard", **columns})
        stack.insert("subscriptions", organization_id=alice.organization, plan_id=ident, period_anchor="yesterday")
        return ident

    yield give
    stack.sql("delete from usage_periods")
    stack.sql("delete from subscriptions where plan_id in (select id from subscription_plans where name = 'tests')")
    stack.sql("delete from subscription_plans where name = 'tests'")


@pytest.fixture
def order(stack, alice):
    """Ways to order calls of alice's, each answers how many were taken: order.one(), order.batch(n), order.by_sql()."""
    stack.provider("vapi")
    template = stack.template(("vapi",))

    class Order:
        """Each by a connection of its own."""

        @staticmethod
        def answer(fields=None):
            """The answer to one order."""
            return alice.with_headers().ask("POST", "/api/v1/calls", {"recipient_number": stack.number(), "template_id": template, **(fields or {})})

        def one(self):
            """By the API."""
            answer = self.answer()
            assert answer.status_code == 201 or (answer.status_code, answer.json()["code"]) == (402, "plan_calls_used_up"), answer.text
            return answer.status_code == 201

        @staticmethod
        def batch(n=5):
            """Several, each by itself."""
            calls = [{"recipient_number": stack.number(), "template_id": template} for _ in range(n)]
            answer = alice.with_headers().ask("POST", "/api/v1/calls/batch", {"calls": calls, "on_error": "continue"})
            if answer.status_code != 201:
                assert answer.json()["code"] == "batch_refused", answer.text
                return 0
            told = answer.json()
            assert {e["code"] for r in told["results"] for e in r["errors"]} <= {"plan_calls_used_up"}
            return told["taken"]

        @staticmethod
        def by_sql():
            """select schedule_call(...)."""
            try:
                with stack.identity("authenticated", {"sub": alice.id, "role": "authenticated"}) as db:
                    db.execute("select schedule_call(%s, %s, 'x', %s)", (alice.id, template, stack.number()))
            except Exception as fault:  # pylint: disable=broad-exception-caught
                assert "plan_calls_used_up" in str(fault), fault
                return False
            return True

    return Order()


def at_once(stack, organization, ways):
    """All of them wait for each other's lock before the first one may go on; answers what each said."""
    with stack.connect() as holder, ThreadPoolExecutor(len(ways)) as pool:
        holder.execute(f"select pg_advisory_xact_lock({LOCK})", (organization,))
        asked = [pool.submit(way) for way in ways]
        wait_until(lambda: stack.value("select count(*) from pg_locks where locktype = 'advisory' and not granted") > 1)
        holder.rollback()
        return [a.result() for a in asked]


@pytest.mark.parametrize("way", ["api", "batch", "sql", "mixed"])
def test_of_a_hundred_calls_at_once_ten_are_taken_when_ten_are_left(stack, alice, plan, order, way):
    plan(call_limit=LEFT)
    ways = {"api": [order.one] * MANY, "batch": [order.batch] * (MANY // 5), "sql": [order.by_sql] * MANY,
            "mixed": [order.one] * 40 + [order.batch] * 8 + [order.by_sql] * 20}[way]
    taken = at_once(stack, alice.organization, ways)
    assert sum(taken) == LEFT
    assert stack.count("call_queue") == LEFT == stack.count("calls")


def test_calls_are_taken_until_the_plan_is_used_up_and_again_in_the_next_period(stack, alice, plan, order):
    plan(call_limit=2)
    assert order.one() and order.one() and not order.one()
    refusal = order.answer().json()
    assert refusal["code"] == "plan_calls_used_up" and refusal["status"] == 402 and "2 calls" in refusal["detail"]
    stack.drain()
    assert not order.one(), "calls that are over count, too"
    stack.sql("update subscriptions set period_anchor = now() where organization_id = %s", alice.organization)
    assert order.one(), "a new period began"


def test_what_waits_goes_on_when_the_plan_changes(stack, alice, plan, order):
    ident = plan(call_limit=1)
    assert order.one()
    stack.sql("update subscription_plans set call_limit = 0 where id = %s", ident)
    stack.pump()
    assert stack.sql("select status, admission from call_queue") == [("queued", "plan_calls")]
    stack.sql("update subscriptions set plan_id = p.id from subscription_plans p where p.name = 'business' and current and organization_id = %s",
              alice.organization)
    stack.drain()
    assert [r.status for r in stack.sql("select status from calls")] == ["completed"]


def test_a_batch_of_all_or_none_says_which_call_was_too_many(alice, plan, order, stack):
    plan(call_limit=2)
    template = stack.value("select id::text from call_templates limit 1")
    calls = [{"recipient_number": stack.number(), "template_id": template} for _ in range(4)]
    answer = alice.ask("POST", "/api/v1/calls/batch", {"calls": calls})
    assert (answer.status_code, answer.json()["code"]) == (402, "plan_calls_used_up")
    assert stack.count("call_queue") == 0 and order.one()


def test_what_was_used_is_counted_and_told(stack, alice, plan, order):
    plan(call_limit=2, minutes_limit=100)
    assert order.one() and order.one()
    stack.drain()
    assert stack.work()["usage_counted"] == stack.count("usage_entries", "billable > 0") >= 2
    assert stack.sql("select calls from usage_periods") == [(2,)] == stack.sql("select calls from usage_days")
    told = stack.sql("select data from events where type = 'usage.threshold_reached' order by (data ->> 'percent')::integer")
    assert [(row.data["kind"], row.data["percent"], row.data["limit"]) for row in told] == [("calls", p, 2) for p in (50, 80, 100)]
    mails = stack.sql("select input -> 'to' as address from workflow_runs where workflow = 'mail' and input ->> 'kind' = 'usage_alert'")
    assert len(mails) == 3
    assert stack.work()["usage_counted"] == 0 and stack.count("usage_alerts") == 3, "each once"


def test_a_night_that_nobody_was_there_for_is_made_up_for(stack, plan, order):
    plan(minutes_limit=100)
    assert order.one()
    stack.drain()
    stack.work()
    stack.sql("update usage_days set seconds = seconds + 7")
    day = stack.value("select date from usage_days")
    stack.sql("""insert into workflow_runs (id, workflow, input, slot, due_at)
                 values ('usage-aggregation:test', 'usage-aggregation', jsonb_build_object('slot', (%s + 1)::text || 'T02:00:00Z'), now(), now())""", day)
    stack.work()
    run = stack.sql("select state from workflow_runs where id = 'usage-aggregation:test'")[0]
    assert run.state == "done"
    assert stack.value("select result from workflow_steps where run_id = 'usage-aggregation:test'") == {"date": str(day), "wrong": 1, "organizations": 1}
    assert stack.value("select seconds from usage_days") == stack.value("select sum(quantity) from usage_entries where kind = 'seconds'")
    assert stack.value("select checked_at is not null from usage_days")


def test_calls_of_several_organizations_end_while_both_close_a_period(stack, alice, bob):
    """Batches that end calls of both, in either order, and two closings in between: a ring, that nobody has to die for."""
    one, other = alice.organization, bob.organization
    hold = "select pg_advisory_xact_lock_shared(usage_lock_key('billing', %s::uuid))"
    close = "select usage_close(%s, now())"

    def waiting(n):
        return lambda: stack.value("select count(*) from pg_locks where locktype = 'advisory' and not granted") == n

    def run(db, query, organization):
        db.execute(query, (organization,))
        db.commit()

    with stack.connect() as first, stack.connect() as second, stack.connect() as closer, stack.connect() as closer_too, ThreadPoolExecutor(4) as pool:
        first.execute(hold, (one,))
        second.execute(hold, (other,))
        rest = [pool.submit(run, closer, close, one)]
        wait_until(waiting(1))
        rest.append(pool.submit(run, closer_too, close, other))
        wait_until(waiting(2))
        rest += [pool.submit(run, first, hold, other), pool.submit(run, second, hold, one)]
        for each in rest:
            each.result()
    assert stack.count("billing_accounts", "invoiced_until is not null") == 2
