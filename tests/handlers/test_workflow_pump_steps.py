"""What the engine does with steps: retries, looks, waits, signals, undoing, loops; with the workflows of
tests/faults/trial.c against a stand-in provider."""

import signal
from collections import Counter

import pytest

from stack_process import wait_until
from trial import step
from trial_provider import FAULTS

BACK = "update workflow_steps set first_sent_at = now() - interval '24 hours' where state in ('sent', 'unknown')"


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


def released(trial, name, n=1):
    """True once so many requests of a step waited at once; then they are let go."""
    enough = trial.provider.held["POST", name] >= n
    if enough:
        trial.provider.release()
    return enough


def test_steps_marked_so_run_at_the_same_time_and_runs_do_anyway(trial):
    trial.provider.hold(("POST", "left"), ("POST", "right"))
    trial.start()
    trial.work(lambda: trial.provider.held["POST", "left"] and released(trial, "right"))
    trial.ends("done")
    left, right = (step(trial.run(), s) for s in ("left", "right"))
    assert left["sent_at"] < right["finished_at"] and right["sent_at"] < left["finished_at"]
    runs = trial.start(100, prefix="many")
    trial.provider.hold(("POST", "charge"))
    trial.work(lambda: released(trial, "charge", 100))
    trial.work(lambda: trial.over(101))
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
    trial.provider.hold(("POST", "charge"))
    pump = trial.begin()
    wait_until(lambda: trial.provider.held["POST", "charge"], what="a request")
    pump.tell(signal.SIGTERM)
    trial.provider.release()
    assert trial.end(pump) == 0
    assert trial.states().get("working") is None
    runs = [f"run-{i}" for i in range(50)]
    trial.work(lambda: trial.over(50))
    trial.invariants(runs)


# ---- what goes wrong outside ---------------------------------------------------------


def test_an_effect_is_once_whatever_the_provider_does(trial):
    """A run for each step and each fault, all at once."""
    cases = [(name, fault) for name in ("charge", "ship", "left", "right") for fault in FAULTS]
    runs = []
    for name, fault in cases:
        runs += trial.start(prefix=f"{name}-{fault}")
        trial.provider.rule(fault, name, times=2, run=runs[-1])
    trial.work(lambda: trial.over(len(runs)))
    assert trial.states() == {"done": len(runs)}
    trial.invariants(runs)
    for ident, (name, _) in zip(runs, cases):
        seen = step(trial.run(ident), name)
        assert seen["attempts"] + seen["looks"] >= 2, ident


def test_a_step_with_a_key_is_repeated_under_it_without_a_look(trial):
    trial.start()
    trial.provider.rule("lost_after", "charge")
    run = trial.ends("done")
    assert step(run, "charge")["attempts"] == 2 and step(run, "charge")["key"] == "run-0:1:charge"
    assert not trial.provider.looks["run-0", "charge"]


def test_a_stored_failure_is_looked_up_then_tried_with_a_new_key(trial):
    trial.start()
    trial.provider.rule("stored_500", "charge")
    run = trial.ends("done")
    assert trial.provider.looks["run-0", "charge"] >= 1
    assert step(run, "charge")["key"] == "run-0:1:charge:s1"
    assert {"run-0:1:charge", "run-0:1:charge:s1"} <= set(trial.provider.keys)


def test_a_failure_after_the_effect_is_found_by_the_look_and_not_repeated(trial):
    trial.start()
    trial.provider.rule("after_500", "charge")
    run = trial.ends("done")
    assert step(run, "charge")["attempts"] == 1 and step(run, "charge")["looks"] == 1
    assert trial.provider.effects["run-0", "charge"] == 1 and trial.provider.looks["run-0", "charge"] == 1


def test_after_twenty_three_hours_a_step_looks_before_it_repeats(trial):
    """The provider may have forgotten the key by then."""
    runs = trial.start()
    trial.provider.hold(("POST", "charge"))
    pump = trial.begin()
    wait_until(lambda: trial.provider.held["POST", "charge"], what="the request")
    trial.pumps.remove(pump)
    pump.kill()
    trial.provider.abandon()
    trial.sql(BACK)
    trial.sql("update workflow_runs set due_at = now()")  # its lease
    trial.work(trial.over, TRIAL_TIMEOUT_MS=500)
    trial.ends("done")
    assert trial.provider.looks["run-0", "charge"] == 1 and trial.provider.requests["run-0", "charge"] == 1
    trial.invariants(runs)


def test_a_look_that_fails_is_made_again(trial):
    runs = trial.start()
    trial.provider.rule("lost_after", "ship")
    trial.provider.rule("lost_before", "ship", times=2, method="GET")
    run = trial.ends("done")
    assert trial.provider.looks["run-0", "ship"] == 3 and step(run, "ship")["looks"] == 3
    trial.invariants(runs)


def test_a_step_that_can_neither_be_repeated_nor_looked_up_becomes_a_dead_letter(trial):
    """And goes on when somebody who knows better redrives it."""
    trial.start(workflow="blind")
    trial.provider.rule("lost_before", "shout")
    run = trial.ends("failed")
    assert run["last_error"] == "shout: outcome_unknown" and trial.provider.requests["run-0", "shout"] == 1
    assert trial.value("select work_redrive('run-0')")
    trial.provider.unsure.clear()
    trial.ends("done")
    assert trial.provider.effects["run-0", "shout"] == 1 and trial.provider.effects["run-0", "whisper"] == 1


def test_a_step_without_words_of_its_own_reads_answers_by_their_status(trial):
    trial.start(workflow="blind")
    for fault in ("lost_before", "429", "lost_after"):
        trial.provider.rule(fault, "whisper")
    run = trial.ends("done")
    assert step(run, "whisper")["attempts"] == 4 and trial.provider.effects["run-0", "whisper"] == 1
    trial.start(workflow="blind", prefix="no")
    trial.provider.rule("refuse", "whisper")
    assert trial.ends("failed", "no-0")["last_error"] == "whisper: http_422"


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


def test_an_sql_step_that_takes_too_long_holds_up_no_other_run(trial):
    trial.start(1, workflow="bare", prefix="slow", slow=30)
    trial.start(10, workflow="bare")
    trial.work(lambda: trial.states().get("done") == 10, HOOKSWITCH_DB_TIMEOUT_MS=500)
    assert trial.run("slow-0")["state"] == "working" and not trial.marks().get(("slow-0", "one"))


def test_an_effect_here_that_fails_is_tried_again_and_the_provider_is_not(trial):
    trial.start(broken="charge")
    trial.work(lambda: (step(trial.run(), "charge") or {}).get("reason") == "not_found"
               and step(trial.run(), "charge")["state"] == "answered")
    assert trial.provider.requests["run-0", "charge"] == 1
    trial.sql("update workflow_runs set input = input - 'broken'")
    run = trial.ends("done")
    assert trial.provider.requests["run-0", "charge"] == 1 and step(run, "charge")["result"] == {"id": "charge-run-0"}
    trial.invariants(["run-0"])


def test_attempts_that_are_used_up_make_a_dead_letter_that_is_redriven(trial):
    trial.start(workflow="bare", one={"next": "none"})
    trial.work(lambda: (trial.run()["last_error"] or "") == "unknown_step")
    assert trial.run()["state"] == "ready", "a step that nobody knows is left alone"
    trial.reset()
    trial.start(workflow="bare", two={"fail": "no such thing"})
    run = trial.ends("failed")
    assert run["last_error"] == "two: no such thing" and step(run, "two")["state"] == "failed"
    trial.sql("update workflow_runs set input = input - 'two'")
    assert trial.value("select work_redrive('run-0')") and not trial.value("select work_redrive('run-0')")
    trial.ends("done")
    assert trial.marks() == {("run-0", "one"): 1, ("run-0", "two"): 2, ("run-0", "three"): 1}


@pytest.mark.parametrize("directive,done", [({"done": True}, ["one"]), ({"next": "three"}, ["one", "three"]),
                                            ({"sleep_seconds": 0.3}, ["one", "two", "three"]),
                                            ({"until": "2020-01-01T00:00:00Z"}, ["one", "two", "three"])])
def test_a_step_may_say_what_comes_next(trial, directive, done):
    trial.start(workflow="bare", one=directive)
    run = trial.ends("done")
    assert [s["step"] for s in run["steps"]] == done


def test_a_sleep_lasts_and_costs_nothing_meanwhile(trial):
    trial.start(workflow="bare", one={"sleep_seconds": 0.7})
    run = trial.ends("done")
    slept = trial.value("""select extract(epoch from b.started_at - a.finished_at)::float from workflow_steps a, workflow_steps b
                            where a.step = 'one' and b.step = 'two'""")
    assert 0.7 <= slept and run["state"] == "done"


def test_a_loop_comes_by_again_under_another_key(trial):
    trial.start(workflow="bare", three={"next": "one"})
    trial.work(lambda: (step(trial.run(), "two") or {}).get("visit", 0) >= 3)
    run = trial.run()
    assert step(run, "two")["key"] == f"run-0:1:two:v{step(run, 'two')['visit']}"
    trial.sql("update workflow_runs set input = '{}'")
    trial.ends("done")


def test_a_run_that_goes_on_as_a_new_one_begins_anew_with_its_new_input(trial):
    trial.start(workflow="bare", three={"again": {"three": {"again": {}}}})
    run = trial.ends("done")
    assert run["generation"] == 3
    assert Counter(s["generation"] for s in run["steps"]) == {1: 3, 2: 3, 3: 3}
    assert trial.value("select count(*) from trial_marks") == 9


def test_prepare_may_settle_a_step_without_asking(trial):
    trial.start(prepare={"next": "turn", "result": {"id": "prepared"}})
    run = trial.ends("done")
    assert step(run, "charge")["result"] == {"id": "prepared"} and not trial.provider.requests
    trial.start(prefix="no", prepare={"fail": "nobody there"})
    assert trial.ends("failed", "no-0")["last_error"] == "charge: nobody there"


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
    run = trial.ends("done")
    assert step(run, "one")["result"] == {"signal": {"a": 1}}
    assert not trial.value("select work_signal('run-0', 'go')"), "it is over"


def test_a_signal_that_came_before_is_not_lost(trial):
    trial.start(workflow="bare", one={"wait": "go", "wait_seconds": 3600}, two={"wait": "go"})
    for n in (1, 2):
        trial.sql("select work_signal('run-0', 'go', jsonb_build_object('n', %s::int))", n)
    run = trial.ends("done")
    assert (step(run, "one")["result"], step(run, "two")["result"]) == ({"signal": {"n": 1}}, {"signal": {"n": 2}})


def test_a_wait_ends_at_its_time(trial):
    trial.start(workflow="bare", one={"wait": "go", "wait_seconds": 0.3}, three={"wait": "go", "wait_seconds": 0.1})
    run = trial.ends("done")
    assert step(run, "one")["result"] == {"timed_out": True} and step(run, "three")["result"] == {"timed_out": True}
