"""Numbers come and go with a subscription by themselves: bought on an upgrade, paused on a downgrade, back on the next upgrade, given back after the
grace; whatever is changed how often, and while something is on its way."""

import os
import threading
import time

import pytest
from psycopg.types.json import Jsonb
from stack_numbers import Numbers
from stack_process import at_once, wait_until


@pytest.fixture(scope="module")
def numbers_of_file(tmp_path_factory):
    """The engine with the workflows of numbers."""
    if not os.environ.get("HOOKSWITCH_TEST_DATABASE_URL"):
        pytest.skip("no cluster for tests at hand (./dev test makes one)")
    with Numbers(tmp_path_factory.mktemp("provision")) as running:
        yield running


@pytest.fixture
def numbers(numbers_of_file):
    """Nobody has a number yet; who pays for a plan gets one."""
    numbers_of_file.reset()
    numbers_of_file.sql("update subscription_plans set is_default = false where is_default")
    numbers_of_file.sql("update subscription_plans set is_default = true where name = 'free'")
    numbers_of_file.sql("update number_policy set enabled = true")
    return numbers_of_file


def plan(numbers, whose, name, db=None):
    """Its subscription is to that plan from now on, as Stripe's word is written."""
    (db or numbers.db).execute("update subscriptions set plan_id = (select id from subscription_plans where name = %s) where organization_id = %s and current",
                               (name, whose["id"]))


def cancel(numbers, whose):
    """Its subscription is over; the plan of who pays for nothing takes its place."""
    with numbers.connect() as db:
        db.execute("update subscriptions set status = 'canceled', ended_at = now(), canceled_at = now() where organization_id = %s and current", (whose["id"],))
        db.execute("select subscription_default(%s)", (whose["id"],))


def newcomer(numbers):
    """Somebody who pays for nothing yet; the log is looked at from here on."""
    whose = numbers.organization("free")
    return {**whose, "since": numbers.value("select max(response_id) from phone_provision_logs")}


def had(numbers, whose):
    """What its numbers are, the oldest first."""
    return [row[0] for row in numbers.sql("select status from phone_numbers where organization_id = %s order by created_at, id", whose["id"])]


def lines(numbers, whose):
    """What became of each change of its subscriptions, in order."""
    return [tuple(row) for row in numbers.sql("""select status, reason from phone_provision_logs where organization_id = %s and response_id > %s
        and trigger_action in ('insert', 'update') order by response_id""", whose["id"], whose["since"])]


def told(numbers, whose):
    """How far it has come, where people's programs look."""
    return numbers.value("select assistant_provisioning_status from user_settings where user_id = %s", whose["owner"])


def upgraded(numbers):
    """Somebody who has upgraded, and has a number."""
    whose = newcomer(numbers)
    plan(numbers, whose, "basic")
    numbers.work(numbers.settled)
    assert had(numbers, whose) == ["active"]
    return whose


def in_order(numbers, whose):
    """Every line is over; Twilio has what the organization has, no more."""
    assert not numbers.value("select count(*) from phone_provision_logs where organization_id = %s and status in ('pending', 'working')", whose["id"])
    kept = [row[0] for row in numbers.sql("""select phone_number from phone_numbers where organization_id = %s
        and status not in ('failed', 'released', 'lost')""", whose["id"])]
    assert sorted(numbers.at_twilio()) == sorted(kept)
    return kept


def test_an_upgrade_gives_a_working_number(numbers, capsys):
    whose = newcomer(numbers)
    pump = numbers.begin()
    began = time.monotonic()
    plan(numbers, whose, "basic")
    numbers.work(lambda: had(numbers, whose) == ["active"] and numbers.settled())
    with capsys.disabled():
        print(f"\nfrom the upgrade to the number, with what the test itself needs: {time.monotonic() - began:.2f} s")
    assert pump not in numbers.pumps
    (number,) = in_order(numbers, whose)
    assert numbers.at_vapi()[number]["assistantId"] == whose["vapi"]
    assert lines(numbers, whose) == [("completed", "bought")] and told(numbers, whose) == "phone_provisioned"
    took, seen = numbers.sql("""select l.duration_ms, extract(epoch from n.linked_at - l.began_at) * 1000 from phone_provision_logs l
        join phone_numbers n on n.id = l.phone_number_id where l.organization_id = %s and l.status = 'completed' and l.trigger_action = 'update'""", whose["id"])[0]
    assert took >= int(seen) > 0, "from the change on"


def test_a_downgrade_pauses_it_and_an_upgrade_brings_the_same_one_back(numbers):
    whose = upgraded(numbers)
    plan(numbers, whose, "free")
    numbers.work(numbers.settled)
    (number,) = in_order(numbers, whose)
    assert had(numbers, whose) == ["paused"] and numbers.at_vapi()[number]["assistantId"] is None and told(numbers, whose) == "paused"
    assert numbers.value("select round(extract(epoch from release_after - now()) / 86400) from phone_numbers") == 90
    plan(numbers, whose, "business")
    numbers.work(numbers.settled)
    assert had(numbers, whose) == ["active"] and in_order(numbers, whose) == [number]
    assert numbers.at_vapi()[number]["assistantId"] == whose["vapi"] and told(numbers, whose) == "phone_provisioned"
    assert numbers.twilio()["purchases"] == {number: 1} and numbers.twilio()["releases"] == {}
    assert lines(numbers, whose) == [("completed", "bought"), ("completed", "paused"), ("completed", "resumed")]


def test_who_cancels_loses_it_when_the_grace_is_over(numbers):
    whose = upgraded(numbers)
    (number,) = in_order(numbers, whose)
    cancel(numbers, whose)
    numbers.work(numbers.settled)
    assert had(numbers, whose) == ["paused"]
    numbers.sql("select work_start('number-release:early', 'number-release')")
    numbers.work(numbers.settled)
    assert had(numbers, whose) == ["paused"] and list(numbers.at_twilio()) == [number], "not before its time"
    numbers.sql("update phone_numbers set release_after = now() - interval '1 second'")
    numbers.sql("select work_start('number-release:due', 'number-release')")
    numbers.work(numbers.settled)
    assert had(numbers, whose) == ["released"] and in_order(numbers, whose) == [] and numbers.at_vapi() == {}
    assert told(numbers, whose) == "released" and numbers.told(whose)[-1] == "number.released"
    plan(numbers, whose, "basic")
    numbers.work(numbers.settled)
    assert had(numbers, whose) == ["released", "active"] and in_order(numbers, whose) != [number], "it rests"


def test_a_hundred_changes_at_once_are_one_number(numbers):
    whose = newcomer(numbers)

    def change(i):
        with numbers.connect(autocommit=True) as db:
            for k in range(10):
                plan(numbers, whose, ("basic", "business")[(i + k) % 2], db)
    for _ in range(3):
        numbers.begin()
    at_once(*[lambda i=i: change(i) for i in range(10)])
    numbers.work(numbers.settled)
    assert had(numbers, whose) == ["active"] and len(in_order(numbers, whose)) == 1
    outcomes = lines(numbers, whose)
    assert outcomes.count(("completed", "bought")) == 1 and len(outcomes) >= 11, outcomes
    assert set(outcomes) <= {("completed", "bought"), ("skipped", "has_number"), ("skipped", "under_way")}
    assert sum(numbers.twilio()["purchases"].values()) == 1


def test_of_two_decisions_at_once_the_second_sees_what_the_first_did(numbers):
    whose = newcomer(numbers)
    plan(numbers, whose, "basic")
    plan(numbers, whose, "business")
    runs = [row[0] for row in numbers.sql("""select jsonb_build_object('id', r.id, 'input', r.input) from workflow_runs r
        where r.workflow = 'phone-provision' order by r.created_at, r.id""")]
    numbers.sql("insert into workflows (name, steps) values ('phone-number', '{decide}')")
    decide = "select provision_decide(%s)"
    with numbers.connect() as first, numbers.connect() as second:
        first.execute(decide, (Jsonb(runs[0]),))
        waits = threading.Thread(target=lambda: second.execute(decide, (Jsonb(runs[1]),)))
        waits.start()
        wait_until(lambda: numbers.value("select count(*) from pg_stat_activity where pid = %s and wait_event_type = 'Lock'", second.info.backend_pid),
                   what="the second one")
        first.commit()
        waits.join()
    assert had(numbers, whose) == ["searching"]


def test_upgrade_cancel_upgrade_within_a_second_ends_with_one(numbers):
    whose = newcomer(numbers)
    numbers.begin()
    plan(numbers, whose, "basic")
    cancel(numbers, whose)
    plan(numbers, whose, "basic")
    numbers.work(numbers.settled)
    assert had(numbers, whose)[-1] == "active" and len(in_order(numbers, whose)) == 1
    assert told(numbers, whose) == "phone_provisioned"


def test_who_cancels_while_it_is_bought_does_not_keep_it_for_good(numbers):
    whose = newcomer(numbers)
    numbers.sandbox.rule({"hold": "before"}, provider="twilio", operation="buy", times=1)
    plan(numbers, whose, "basic")

    def change():
        cancel(numbers, whose)
        wait_until(lambda: numbers.value("select wanted from phone_numbers") == "paused", what="the decision")
        numbers.sandbox.release()
    numbers.during(numbers.held, change)
    assert had(numbers, whose) == ["paused"] and told(numbers, whose) == "paused"
    in_order(numbers, whose)
    assert numbers.value("select pause_reason from phone_numbers") == "canceled"
    assert lines(numbers, whose)[0] == ("skipped", "overtaken") and ("completed", "paused") in lines(numbers, whose)


def test_who_cancels_before_it_is_bought_pays_for_none(numbers):
    whose = newcomer(numbers)
    plan(numbers, whose, "basic")
    cancel(numbers, whose)
    numbers.work(numbers.settled)
    assert had(numbers, whose) == [] and numbers.twilio()["purchases"] == {}


def test_without_twilio_it_is_caught_up_with_when_it_can_be_asked(numbers):
    whose = newcomer(numbers)
    plan(numbers, whose, "basic")
    numbers.work(numbers.settled, TWILIO_AUTH_TOKEN=None)
    assert lines(numbers, whose) == [("skipped", "not_configured")]
    numbers.work(lambda: had(numbers, whose) == ["active"] and numbers.settled())
    assert len(in_order(numbers, whose)) == 1


def test_what_was_switched_off_is_caught_up_with_when_it_is_on(numbers):
    numbers.sql("update number_policy set enabled = false")
    whose = newcomer(numbers)
    plan(numbers, whose, "basic")
    numbers.work(numbers.settled)
    assert lines(numbers, whose) == [("skipped", "policy_off")] and had(numbers, whose) == []
    numbers.sql("update number_policy set enabled = true")
    numbers.work(numbers.settled)
    assert had(numbers, whose) == ["active"]


def test_where_none_is_found_somebody_looks_again_another_day(numbers):
    whose = newcomer(numbers)
    numbers.sandbox.rule(numbers.sandbox.twilio_refusal(21452), provider="twilio", operation="search")
    plan(numbers, whose, "basic")
    numbers.work(numbers.settled)
    assert had(numbers, whose) == ["failed"]
    assert lines(numbers, whose) == [("failed", "no_number_found")] and told(numbers, whose) == "failed"
    numbers.sandbox.clear_rules()
    catchup = "select work_start(%s, 'provision-catchup')"
    numbers.sql(catchup, "provision-catchup:1")
    numbers.work(numbers.settled)
    assert had(numbers, whose) == ["failed"], "not at once"
    numbers.sql("update phone_numbers set created_at = now() - interval '2 days'")
    numbers.sql(catchup, "provision-catchup:2")
    numbers.work(numbers.settled)
    assert had(numbers, whose) == ["failed", "active"] and len(in_order(numbers, whose)) == 1


def test_a_deleted_organization_gives_its_numbers_back_before_it_goes(numbers):
    whose = upgraded(numbers)
    numbers.sql("""update organizations set status_before = status, status = 'canceled', deleted_after = now() + interval '30 days',
        deletion_run = 'organization-delete:t' where id = %s""", whose["id"])
    numbers.work(numbers.settled)
    assert had(numbers, whose) == ["paused"]
    numbers.sql("update organizations set deleted_after = now() - interval '1 minute' where id = %s", whose["id"])
    numbers.sql("select work_start('organization-delete:t', 'organization-delete', %s)", Jsonb({"organization_id": str(whose["id"])}))

    def gone():
        numbers.hurry((*("phone-number", "organization-delete"),))
        return not numbers.value("select count(*) from organizations where id = %s", whose["id"])
    numbers.work(gone)
    assert numbers.at_twilio() == {} and numbers.at_vapi() == {} and sum(numbers.twilio()["releases"].values()) == 1
