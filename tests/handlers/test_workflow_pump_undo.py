"""What the engine undoes, and what it starts by the clock; with the workflows of tests/faults/trial.c."""

import pytest

from stack_process import wait_until
from trial import step

# ---- undoing -------------------------------------------------------------------------------------


def test_a_run_that_fails_for_good_undoes_what_it_did_in_reverse(trial):
    trial.start()
    trial.provider.rule("refuse", "left")
    run = trial.ends("failed")
    assert run["undo_to"] == "failed" and run["last_error"] == "left: http_422"
    undone = sorted((s for s in run["steps"] if s["undo"]), key=lambda s: s["started_at"])
    assert [(s["step"], s["state"]) for s in undone] == [("ship", "done"), ("charge", "done"), ("note", "done")]
    assert trial.provider.effects["run-0", "recall"] == 1 and trial.provider.effects["run-0", "refund"] == 1
    assert trial.marks("undone") == {("run-0", "note"): 1}
    # Redriven, it begins anew.
    assert trial.value("select work_redrive('run-0')")
    run = trial.ends("done")
    assert run["generation"] == 2 and trial.provider.effects["run-0", "charge"] == 2


@pytest.mark.parametrize("when", ["sleeping", "waiting", "at the provider"])
def test_a_run_that_is_canceled_finishes_its_step_and_undoes_the_rest(trial, when):
    turn = {"sleeping": {"sleep_seconds": 3600}, "waiting": {"wait": "go"}, "at the provider": None}[when]
    trial.start(turn=turn)
    trial.provider.hold(("POST", "ship"))
    if when != "at the provider":
        trial.provider.release()
    pump = trial.begin()
    if when == "at the provider":
        wait_until(lambda: trial.provider.held["POST", "ship"], what="the request")
    else:
        wait_until(lambda: trial.run()["step"] == "close" and trial.run()["state"] != "working", what="the wait")
    assert trial.value("select work_cancel('run-0')") and not trial.value("select work_cancel('run-0')")
    trial.provider.release()
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
    trial.provider.hold(("GET", "ship"))
    pump = trial.begin()
    wait_until(lambda: trial.provider.held["GET", "ship"], what="a look")
    assert step(trial.run(), "ship")["state"] == "unknown"
    assert trial.value("select work_cancel('run-0')")
    trial.provider.release()
    wait_until(lambda: trial.run()["state"] == "canceled", what="the end")
    assert trial.end(pump) == 0
    assert trial.provider.effects["run-0", "ship"] == 1 and trial.provider.effects["run-0", "recall"] == 1
    assert not trial.provider.unlooked


def test_a_repetition_that_is_refused_proves_nothing_of_what_was_sent_before(trial):
    """Charged, but the answer was lost; then the provider is too busy to say so; then the run is canceled."""
    trial.start()
    trial.provider.rule("lost_after", "charge")
    trial.provider.rule("429", "charge", times=1000)
    pump = trial.begin()
    wait_until(lambda: (step(trial.run(), "charge") or {}).get("reason") == "http_429", what="a refusal")
    assert trial.value("select work_cancel('run-0')")
    trial.provider.rules.clear()
    wait_until(lambda: trial.run()["state"] == "canceled", what="the end")
    assert trial.end(pump) == 0
    assert trial.provider.effects["run-0", "charge"] == 1 and trial.provider.effects["run-0", "refund"] == 1


def test_undoing_that_fails_is_a_dead_letter_that_goes_on_where_it_stood(trial):
    trial.start(turn={"wait": "go"})
    trial.work(lambda: trial.states() == {"waiting": 1})
    trial.provider.rule("refuse", "refund")
    trial.sql("select work_cancel('run-0')")
    run = trial.ends("failed")
    assert run["last_error"] == "undo of charge: http_422" and run["undo_to"] == "canceled"
    # The provider has stored its refusal under that key; it forgets.
    trial.provider.keys.clear()
    assert trial.value("select work_redrive('run-0')")
    trial.ends("canceled")
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
    assert runs[0].id == "tick:" + runs[0].slot.strftime("%Y-%m-%dT%H:%M:%SZ") and runs[0].input == {"a": 1, "slot": runs[0].id[5:]}
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
