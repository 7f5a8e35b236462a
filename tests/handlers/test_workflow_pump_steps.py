"""What the engine does with steps: retries, looks, waits, signals, undoing, loops; with the workflows of
tests/faults/trial.c against a stand-in provider."""

import os
import time
from collections import Counter

import pytest

from stack_process import wait_until
from trial import Trial
from trial_provider import Provider

BACK = "update workflow_steps set first_sent_at = now() - interval '24 hours' where state in ('sent', 'unknown')"


@pytest.fixture(scope="module")
def trial_of_file(tmp_path_factory):
    """A database and a provider for all tests of the file."""
    if not os.environ.get("HOOKSWITCH_TEST_DATABASE_URL"):
        pytest.skip("no cluster for tests at hand (./dev test makes one)")
    with Provider() as provider, Trial(tmp_path_factory.mktemp("trial"), provider) as running:
        yield running


@pytest.fixture
def trial(trial_of_file):
    """Without runs."""
    trial_of_file.reset()
    return trial_of_file


def step(run, name, undo=False):
    """One step of a run's history."""
    return next((s for s in run["steps"] if s["step"] == name and s["undo"] == undo), None)


def ends(trial, state, ident="run-0", n=None):
    """Works until all is over; the run, which is in that state."""
    trial.work(lambda: trial.over(n))
    run = trial.run(ident)
    assert run["state"] == state, run
    return run


# ---- the way forward -------------------------------------------------------------


def test_a_run_does_its_steps_in_order_once_each_and_keeps_named_fields_only(trial):
    runs = trial.start()
    summary = trial.pump()
    assert (summary["claimed"], summary["sent"], summary["done"], summary["finished"]) == (1, 4, 7, 1)
    run = trial.run()
    assert [s["step"] for s in run["steps"]][:3] == ["note", "charge", "ship"]
    assert step(run, "note")["result"] == {"id": "note-run-0"}
    assert step(run, "charge")["result"] == {"id": "charge-run-0"}
    assert step(run, "charge")["key"] == "run-0:1:charge"
    assert trial.provider.secrets == {"prepared-secret"}, "what prepare answers reaches the request"
    trial.invariants(runs)
    assert not trial.sql("select work_start('run-0', 'trial') as again")[0].again
    assert trial.pump()["claimed"] == 0
    trial.invariants(runs)


def test_steps_marked_so_run_at_the_same_time_and_runs_do_anyway(trial):
    trial.provider.rule(None, "left", times=1, delay=0.3)
    trial.provider.rule(None, "right", times=1, delay=0.3)
    since = time.monotonic()
    trial.start()
    ends(trial, "done")
    assert trial.provider.most_at_once >= 2 and time.monotonic() - since < 10
    left, right = (step(trial.run(), s) for s in ("left", "right"))
    assert left["sent_at"] < right["finished_at"] and right["sent_at"] < left["finished_at"]
    runs = trial.start(100, prefix="many")
    trial.provider.most_at_once = 0
    trial.provider.rule(None, "charge", times=100, delay=0.2)
    trial.work(lambda: trial.over(101))
    assert trial.provider.most_at_once >= 50
    trial.invariants(runs)


def test_eight_pumps_at_once_do_each_step_once(trial):
    runs = trial.start(200)
    trial.provider.trouble = 0.05
    trial.work(lambda: trial.over(200), n=8)
    assert trial.states() == {"done": 200}
    trial.invariants(runs)


def test_a_run_due_in_ten_years_waits_and_one_due_now_is_not_held_up_by_it(trial):
    trial.start(100, prefix="later", due="2036-11-20T00:00:00Z")
    runs = trial.start()
    assert trial.pump()["claimed"] == 1
    trial.invariants(runs)
    assert trial.states() == {"done": 1, "ready": 100}


def test_a_turn_that_ends_leaves_runs_to_the_next_one(trial):
    trial.start(50)
    trial.provider.rule(None, "charge", times=50, delay=0.2)
    pump = trial.begin()
    wait_until(lambda: trial.provider.requests["run-0", "charge"], what="a request")
    assert trial.end(pump) == 0
    assert trial.states().get("working") is None
    runs = [f"run-{i}" for i in range(50)]
    trial.work(lambda: trial.over(50))
    trial.invariants(runs)


# ---- what goes wrong outside ---------------------------------------------------------


@pytest.mark.parametrize("fault", ["lost_before", "lost_after", "stored_500", "after_500", "429"])
@pytest.mark.parametrize("name", ["charge", "ship", "left", "right"])
def test_an_effect_is_once_whatever_the_provider_does(trial, name, fault):
    runs = trial.start()
    trial.provider.rule(fault, name, times=2)
    run = ends(trial, "done")
    trial.invariants(runs)
    assert step(run, name)["attempts"] + step(run, name)["looks"] >= 2


def test_a_step_with_a_key_is_repeated_under_it_without_a_look(trial):
    trial.start()
    trial.provider.rule("lost_after", "charge")
    run = ends(trial, "done")
    assert step(run, "charge")["attempts"] == 2 and step(run, "charge")["key"] == "run-0:1:charge"
    assert not trial.provider.looks["run-0", "charge"]


def test_a_stored_failure_is_looked_up_then_tried_with_a_new_key(trial):
    trial.start()
    trial.provider.rule("stored_500", "charge")
    run = ends(trial, "done")
    assert trial.provider.looks["run-0", "charge"] >= 1
    assert step(run, "charge")["key"] == "run-0:1:charge:s1"
    assert {"run-0:1:charge", "run-0:1:charge:s1"} <= set(trial.provider.keys)


def test_a_failure_after_the_effect_is_found_by_the_look_and_not_repeated(trial):
    trial.start()
    trial.provider.rule("after_500", "charge")
    run = ends(trial, "done")
    assert step(run, "charge")["attempts"] == 1 and step(run, "charge")["looks"] == 1
    assert trial.provider.effects["run-0", "charge"] == 1 and trial.provider.looks["run-0", "charge"] == 1


def test_after_twenty_three_hours_a_step_looks_before_it_repeats(trial):
    """The provider may have forgotten the key by then."""
    runs = trial.start()
    trial.provider.hold = ("POST", "charge")
    pump = trial.begin()
    wait_until(trial.provider.held.is_set, what="the request")
    trial.pumps.remove(pump)
    pump.kill()
    trial.provider.hold = None
    trial.sql(BACK)
    ends(trial, "done")
    assert trial.provider.looks["run-0", "charge"] == 1 and trial.provider.requests["run-0", "charge"] == 1
    trial.invariants(runs)


def test_a_look_that_fails_is_made_again(trial):
    runs = trial.start()
    trial.provider.rule("lost_after", "ship")
    trial.provider.rule("lost_before", "ship", times=2, method="GET")
    run = ends(trial, "done")
    assert trial.provider.looks["run-0", "ship"] == 3 and step(run, "ship")["looks"] == 3
    trial.invariants(runs)


def test_a_step_that_can_neither_be_repeated_nor_looked_up_becomes_a_dead_letter(trial):
    """And goes on when somebody who knows better redrives it."""
    trial.start(workflow="blind")
    trial.provider.rule("lost_before", "shout")
    run = ends(trial, "failed")
    assert run["last_error"] == "shout: outcome_unknown" and trial.provider.requests["run-0", "shout"] == 1
    assert trial.value("select work_redrive('run-0')")
    trial.provider.unsure.clear()
    ends(trial, "done")
    assert trial.provider.effects["run-0", "shout"] == 1 and trial.provider.effects["run-0", "whisper"] == 1


def test_a_step_without_words_of_its_own_reads_answers_by_their_status(trial):
    trial.start(workflow="blind")
    for fault in ("lost_before", "429", "lost_after"):
        trial.provider.rule(fault, "whisper")
    run = ends(trial, "done")
    assert step(run, "whisper")["attempts"] == 4 and trial.provider.effects["run-0", "whisper"] == 1
    trial.start(workflow="blind", prefix="no")
    trial.provider.rule("refuse", "whisper")
    assert ends(trial, "failed", "no-0")["last_error"] == "whisper: http_422"


def test_a_provider_that_is_not_there_is_asked_again_until_attempts_are_used_up(trial):
    trial.sql("select work_start('run-0', 'trial', '{\"url\":\"http://127.0.0.1:1\"}')")
    trial.work(lambda: (step(trial.run(), "charge") or {}).get("attempts", 0) >= 3)
    run = trial.run()
    assert run["state"] in ("ready", "working") and step(run, "charge")["reason"] == "not_sent"


# ---- SQL steps ----------------------------------------------------------------------------


def test_an_sql_step_that_fails_undoes_itself_alone_and_is_tried_again(trial):
    runs = trial.start(20)
    trial.start(1, prefix="broken", broken="note")
    trial.work(lambda: trial.states().get("done") == 20 and step(trial.run("broken-0"), "note")
               and step(trial.run("broken-0"), "note")["attempts"] >= 2)
    trial.invariants(runs)
    assert step(trial.run("broken-0"), "note")["reason"] == "not_found"
    assert trial.marks().get(("broken-0", "note")) is None


def test_an_effect_here_that_fails_is_tried_again_and_the_provider_is_not(trial):
    trial.start(broken="charge")
    trial.work(lambda: (step(trial.run(), "charge") or {}).get("reason") == "not_found"
               and step(trial.run(), "charge")["state"] == "answered")
    assert trial.provider.requests["run-0", "charge"] == 1
    trial.sql("update workflow_runs set input = input - 'broken'")
    run = ends(trial, "done")
    assert trial.provider.requests["run-0", "charge"] == 1 and step(run, "charge")["result"] == {"id": "charge-run-0"}
    trial.invariants(["run-0"])


def test_attempts_that_are_used_up_make_a_dead_letter_that_is_redriven(trial):
    trial.start(workflow="bare", one={"next": "none"})
    trial.work(lambda: (trial.run()["last_error"] or "") == "unknown_step")
    assert trial.run()["state"] == "ready", "a step that nobody knows is left alone"
    trial.reset()
    trial.start(workflow="bare", two={"fail": "no such thing"})
    run = ends(trial, "failed")
    assert run["last_error"] == "two: no such thing" and step(run, "two")["state"] == "failed"
    trial.sql("update workflow_runs set input = input - 'two'")
    assert trial.value("select work_redrive('run-0')") and not trial.value("select work_redrive('run-0')")
    ends(trial, "done")
    assert trial.marks() == {("run-0", "one"): 1, ("run-0", "two"): 2, ("run-0", "three"): 1}


@pytest.mark.parametrize("directive,done", [({"done": True}, ["one"]), ({"next": "three"}, ["one", "three"]),
                                            ({"sleep_seconds": 0.3}, ["one", "two", "three"]),
                                            ({"until": "2020-01-01T00:00:00Z"}, ["one", "two", "three"])])
def test_a_step_may_say_what_comes_next(trial, directive, done):
    trial.start(workflow="bare", one=directive)
    run = ends(trial, "done")
    assert [s["step"] for s in run["steps"]] == done


def test_a_sleep_lasts_and_costs_nothing_meanwhile(trial):
    trial.start(workflow="bare", one={"sleep_seconds": 0.7})
    run = ends(trial, "done")
    slept = trial.value("""select extract(epoch from b.started_at - a.finished_at)::float from workflow_steps a, workflow_steps b
                            where a.step = 'one' and b.step = 'two'""")
    assert 0.7 <= slept < 10 and run["state"] == "done"


def test_a_loop_comes_by_again_under_another_key(trial):
    trial.start(workflow="bare", three={"next": "one"})
    trial.work(lambda: (step(trial.run(), "two") or {}).get("visit", 0) >= 3)
    run = trial.run()
    assert step(run, "two")["key"] == f"run-0:1:two:v{step(run, 'two')['visit']}"
    trial.sql("update workflow_runs set input = '{}'")
    ends(trial, "done")


def test_a_run_that_goes_on_as_a_new_one_begins_anew_with_its_new_input(trial):
    trial.start(workflow="bare", three={"again": {"three": {"again": {}}}})
    run = ends(trial, "done")
    assert run["generation"] == 3
    assert Counter(s["generation"] for s in run["steps"]) == {1: 3, 2: 3, 3: 3}
    assert trial.value("select count(*) from trial_marks") == 9


def test_prepare_may_settle_a_step_without_asking(trial):
    trial.start(prepare={"next": "turn", "result": {"id": "prepared"}})
    run = ends(trial, "done")
    assert step(run, "charge")["result"] == {"id": "prepared"} and not trial.provider.requests
    trial.start(prefix="no", prepare={"fail": "nobody there"})
    assert ends(trial, "failed", "no-0")["last_error"] == "charge: nobody there"


# ---- signals ----------------------------------------------------------------------------------


def test_a_run_waits_for_its_signal(trial):
    trial.start(workflow="bare", one={"wait": "go"})
    trial.work(lambda: trial.states() == {"waiting": 1})
    assert trial.pump()["claimed"] == 0, "waiting costs nothing"
    assert not trial.value("select work_signal('none', 'go')")
    assert trial.value("select work_signal('run-0', 'stop')")
    assert trial.run()["state"] == "waiting"
    assert trial.value("select work_signal('run-0', 'go', '{\"a\":1}', 's1')")
    assert not trial.value("select work_signal('run-0', 'go', '{\"a\":2}', 's1')")
    run = ends(trial, "done")
    assert step(run, "one")["result"] == {"signal": {"a": 1}}
    assert not trial.value("select work_signal('run-0', 'go')"), "it is over"


def test_a_signal_that_came_before_is_not_lost(trial):
    trial.start(workflow="bare", one={"wait": "go", "wait_seconds": 3600}, two={"wait": "go"})
    for n in (1, 2):
        trial.sql("select work_signal('run-0', 'go', jsonb_build_object('n', %s::int))", n)
    run = ends(trial, "done")
    assert (step(run, "one")["result"], step(run, "two")["result"]) == ({"signal": {"n": 1}}, {"signal": {"n": 2}})


def test_a_wait_ends_at_its_time(trial):
    trial.start(workflow="bare", one={"wait": "go", "wait_seconds": 0.3}, three={"wait": "go", "wait_seconds": 0.1})
    run = ends(trial, "done")
    assert step(run, "one")["result"] == {"timed_out": True} and step(run, "three")["result"] == {"timed_out": True}


# ---- undoing -------------------------------------------------------------------------------------


def test_a_run_that_fails_for_good_undoes_what_it_did_in_reverse(trial):
    trial.start()
    trial.provider.rule("refuse", "left")
    run = ends(trial, "failed")
    assert run["undo_to"] == "failed" and run["last_error"] == "left: http_422"
    undone = sorted((s for s in run["steps"] if s["undo"]), key=lambda s: s["started_at"])
    assert [(s["step"], s["state"]) for s in undone] == [("ship", "done"), ("charge", "done"), ("note", "done")]
    assert trial.provider.effects["run-0", "recall"] == 1 and trial.provider.effects["run-0", "refund"] == 1
    assert trial.marks("undone") == {("run-0", "note"): 1}
    # Redriven, it begins anew.
    assert trial.value("select work_redrive('run-0')")
    run = ends(trial, "done")
    assert run["generation"] == 2 and trial.provider.effects["run-0", "charge"] == 2


@pytest.mark.parametrize("when", ["sleeping", "waiting", "at the provider"])
def test_a_run_that_is_canceled_finishes_its_step_and_undoes_the_rest(trial, when):
    turn = {"sleeping": {"sleep_seconds": 3600}, "waiting": {"wait": "go"}, "at the provider": None}[when]
    trial.start(turn=turn)
    if when == "at the provider":
        trial.provider.rule(None, "ship", delay=0.4)
    pump = trial.begin()
    if when == "at the provider":
        wait_until(lambda: trial.provider.requests["run-0", "charge"] and step(trial.run(), "ship"), what="the request")
    else:
        wait_until(lambda: trial.run()["step"] == "close" and trial.run()["state"] != "working", what="the wait")
    assert trial.value("select work_cancel('run-0')") and not trial.value("select work_cancel('run-0')")
    wait_until(lambda: trial.run()["state"] == "canceled", what="the end")
    assert trial.end(pump) == 0
    run = trial.run()
    assert {s["step"] for s in run["steps"] if s["undo"]} == {"note", "charge", "ship"}
    assert trial.provider.effects["run-0", "refund"] == 1 and trial.provider.effects["run-0", "recall"] == 1
    assert step(run, "close") is None and not trial.provider.doubles


def test_a_step_of_unknown_outcome_is_settled_before_it_is_undone(trial):
    trial.start()
    trial.provider.rule("lost_after", "ship")
    trial.provider.rule("lost_before", "ship", times=3, method="GET")
    pump = trial.begin()
    wait_until(lambda: (step(trial.run(), "ship") or {}).get("state") == "unknown", what="an unknown outcome")
    assert trial.value("select work_cancel('run-0')")
    wait_until(lambda: trial.run()["state"] == "canceled", what="the end")
    assert trial.end(pump) == 0
    assert trial.provider.effects["run-0", "ship"] == 1 and trial.provider.effects["run-0", "recall"] == 1
    assert not trial.provider.unlooked


def test_undoing_that_fails_is_a_dead_letter_that_goes_on_where_it_stood(trial):
    trial.start(turn={"wait": "go"})
    trial.work(lambda: trial.states() == {"waiting": 1})
    trial.provider.rule("refuse", "refund")
    trial.sql("select work_cancel('run-0')")
    run = ends(trial, "failed")
    assert run["last_error"] == "undo of charge: http_422" and run["undo_to"] == "canceled"
    # The provider has stored its refusal under that key; it forgets.
    trial.provider.keys.clear()
    assert trial.value("select work_redrive('run-0')")
    ends(trial, "canceled")
    assert trial.provider.effects["run-0", "recall"] == 1 and trial.marks("undone") == {("run-0", "note"): 1}


# ---- the clock --------------------------------------------------------------------------------------


def schedule(trial, missed, back):
    """A slot each minute, the next one so many minutes ago; answers the slots that were started."""
    trial.sql("select work_schedule('tick', 'bare', '* * * * *', %s, '{\"a\":1}')", missed)
    trial.sql("update workflow_schedules set next_at = date_trunc('minute', now()) - make_interval(mins => %s)", back)
    trial.work(lambda: trial.value("select next_at > now() from workflow_schedules") and trial.over())
    return trial.sql("select id, slot, input, date_trunc('minute', created_at) - slot as late from workflow_runs order by slot")


@pytest.mark.parametrize("missed,back,least,most", [("skip", 5, 1, 2), ("one", 5, 1, 2), ("all", 5, 6, 7), ("one", 600, 1, 2)])
def test_missed_slots_go_by_their_policy(trial, missed, back, least, most):
    runs = schedule(trial, missed, back)
    assert least <= len(runs) <= most
    assert runs[0].id == "tick:" + runs[0].slot.strftime("%Y-%m-%dT%H:%M:%SZ") and runs[0].input == {"a": 1}
    slots = {m.slot for m in trial.sql("select slot from trial_marks")}
    assert {r.slot.strftime("%Y-%m-%dT%H:%M:%SZ") for r in runs} == slots, "the slot's own time is told to its steps"


def test_a_slot_that_is_long_past_is_skipped(trial):
    trial.sql("select work_schedule('tick', 'bare', '0 0 1 1 *', 'skip')")
    trial.sql("update workflow_schedules set next_at = now() - interval '40 minutes'")
    trial.work(lambda: trial.value("select next_at > now() from workflow_schedules"))
    assert trial.states() == {}


def test_eight_pumps_start_each_slot_once(trial):
    trial.sql("select work_schedule('tick', 'bare', '* * * * *', 'all')")
    trial.sql("update workflow_schedules set next_at = date_trunc('minute', now()) - interval '99 minutes'")
    trial.work(lambda: trial.value("select next_at > now() from workflow_schedules") and trial.over(), n=8)
    assert 100 <= trial.states()["done"] <= 101 and set(trial.marks().values()) == {1}


def test_a_schedule_that_cannot_be_read_says_so(trial):
    trial.sql("select work_schedule('tick', 'bare', 'now and then')")
    trial.work(lambda: trial.value("select last_error from workflow_schedules") == "cron_invalid")
    trial.sql("select work_schedule('tick', 'bare', '* * * * *')")
    trial.work(lambda: trial.value("select last_error is null and next_at > now() from workflow_schedules"))
