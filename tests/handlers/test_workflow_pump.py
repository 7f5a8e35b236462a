"""The program workflow-pump: its triggers, what operators may ask of runs, and what it leaves alone.  What the engine
does with steps is in test_workflow_pump_steps.py."""

import json
import subprocess

import pytest
import stack_routes

from stack import TOP, wait_until
from stack_client import Client, problem

PATH = "/internal/workflow-pump"
RUNS = "/internal/workflow-runs"


@pytest.fixture
def inside(stack):
    """An operator on this machine, with the token."""
    return stack_routes.inside(stack)


def start(stack, n=1, workflow="of-tomorrow", **columns):
    """Runs of a workflow that no program knows; the oldest first."""
    for i in range(n):
        stack.sql("select work_start(%s, %s)", f"{workflow}:{i}", workflow)
        for name, value in columns.items():
            stack.sql(f"update workflow_runs set {name} = %s where id = %s", value, f"{workflow}:{i}")


def fail_run(stack, ident):
    """As the engine ends a run that fails for good."""
    stack.sql("insert into workflow_steps (run_id, generation, step, state, attempts, tries, reason, finished_at)"
              " values (%s, 1, 'one', 'failed', 3, 3, 'http_422', now())", ident)
    stack.sql("update workflow_runs set state = 'working' where id = %s", ident)
    stack.sql("update workflow_runs set state = 'failed', step = 'one', due_at = null, finished_at = now(), last_error = 'one: http_422'"
              " where id = %s", ident)


# ---- triggers -----------------------------------------------------------------


def test_through_nginx_with_the_token(stack, inside):
    summary = inside.post(PATH, expect=200)
    assert summary["message"] == "No runs were due." and summary["failures"] == 0
    problem(stack.anybody().ask("POST", PATH), 401, "unauthenticated")
    problem(Client(stack.url, {"Authorization": "Bearer wrong"}).ask("POST", PATH), 401, "token_invalid")
    problem(Client(stack.url, {"Authorization": f"Bearer {stack.token('alice')}"}).ask("GET", RUNS), 401, "token_invalid")


def test_once_from_a_shell(stack):
    done = stack.run_program("workflow-pump", "--once")
    assert done.returncode == 0 and json.loads(done.stdout)["claimed"] == 0
    assert stack.run_program("workflow-pump", "--twice").returncode == 2
    assert stack.run_program("workflow-pump", "--once", "--wait").returncode == 2


def test_a_turn_without_a_database_says_so_and_does_not_hang(stack):
    done = stack.run_program("workflow-pump", "--once", env={"DATABASE_URL": "postgresql:///none?host=/none"})
    assert done.returncode == 1
    assert json.loads(done.stdout)["message"].startswith("The database did not answer")


def test_the_script_that_timers_call_asks_both_pumps(stack):
    done = subprocess.run([TOP / "nginx" / "trigger-pump", "--wait", "1", stack.url], env=stack.environment(),
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(" ", 1) for line in done.stdout.strip().split("\n"))
    assert set(lines) == {"queue-pump", "workflow-pump"} and all(json.loads(v)["failures"] == 0 for v in lines.values())


def test_only_one_turn_waits_on_a_host(stack):
    pump = subprocess.Popen([stack.build / "handlers" / "workflow-pump", "--once", "--wait", "600"],
                            env=stack.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        wait_until(lambda: (stack.run / "work.poke").exists(), what="the waiting turn")
        second = json.loads(stack.run_program("workflow-pump", "--once", "--wait", "600").stdout)
        assert second["message"].startswith("Another turn waits on this host")
    finally:
        pump.terminate()
        out, _ = pump.communicate(timeout=60)
    assert pump.returncode == 0 and json.loads(out)["failures"] == 0


# ---- what is left alone ---------------------------------------------------------


def test_runs_of_unknown_workflows_are_left_alone_counted_and_shown(stack, inside):
    start(stack, 2)
    assert inside.post(PATH, expect=200)["claimed"] == 0
    assert stack.sql("select state, fence from workflow_runs group by 1, 2") == [("ready", 0)]
    runs = inside.get(RUNS)["data"]
    assert [(r["id"], r["known"]) for r in runs] == [("of-tomorrow:1", False), ("of-tomorrow:0", False)]
    metrics = stack.anybody().ask("GET", "/metrics", headers=inside.headers).text
    assert "hookswitch_workflow_unknown 2" in metrics
    assert 'hookswitch_workflow_runs{state="ready",workflow="of-tomorrow"} 2' in metrics


def test_a_dead_letter_is_counted(stack, inside):
    start(stack)
    fail_run(stack, "of-tomorrow:0")
    assert "hookswitch_workflow_dead_letters 1" in stack.anybody().ask("GET", "/metrics", headers=inside.headers).text


# ---- operators ---------------------------------------------------------------------


def test_runs_are_listed_newest_first_page_by_page(stack, inside):
    start(stack, 5)
    start(stack, 1, "other")
    seen, after = [], ""
    while after is not None:
        page = inside.get(f"{RUNS}?workflow=of-tomorrow&limit=2{after and '&after=' + after}")
        seen += [run["id"] for run in page["data"]]
        after = page["next_cursor"]
        assert len(page["data"]) <= 2
    assert seen == [f"of-tomorrow:{i}" for i in (4, 3, 2, 1, 0)]
    assert [r["id"] for r in inside.get(f"{RUNS}?state=ready&workflow=other")["data"]] == ["other:0"]
    assert inside.get(f"{RUNS}?state=failed")["data"] == []
    problem(inside.ask("GET", f"{RUNS}?state=lost"), 400, "bad_fields")
    problem(inside.ask("GET", f"{RUNS}?after=!"), 400)


def test_one_run_is_shown_with_its_history_and_without_its_input(stack, inside):
    stack.sql("select work_start('a:b/c', 'of-tomorrow', '{\"to\":\"ann@example.com\"}')")
    problem(inside.ask("GET", f"{RUNS}/a%3Ab%2Fc"), 400)  # no path holds a slash
    start(stack)
    fail_run(stack, "of-tomorrow:0")
    run = inside.get(f"{RUNS}/of-tomorrow:0")
    assert run["state"] == "failed" and run["last_error"] == "one: http_422" and "input" not in run
    assert [(s["step"], s["state"], s["attempts"], s["reason"]) for s in run["steps"]] == [("one", "failed", 3, "http_422")]
    problem(inside.ask("GET", f"{RUNS}/none"), 404, "workflow_run_not_found")


def test_a_dead_letter_is_redriven_once(stack, inside):
    start(stack)
    problem(inside.ask("POST", f"{RUNS}/of-tomorrow:0/redrive"), 409, "workflow_run_not_failed")
    fail_run(stack, "of-tomorrow:0")
    run = inside.post(f"{RUNS}/of-tomorrow:0/redrive", expect=200)
    assert (run["state"], run["steps"][0]["state"]) == ("ready", "retry")
    problem(inside.ask("POST", f"{RUNS}/of-tomorrow:0/redrive"), 409, "workflow_run_not_failed")
    problem(inside.ask("POST", f"{RUNS}/none/redrive"), 404, "workflow_run_not_found")


def test_a_run_that_did_nothing_yet_is_canceled_at_once(stack, inside):
    start(stack)
    assert inside.post(f"{RUNS}/of-tomorrow:0/cancel", expect=200)["state"] == "canceled"
    problem(inside.ask("POST", f"{RUNS}/of-tomorrow:0/cancel"), 409, "workflow_run_over")
    problem(inside.ask("POST", f"{RUNS}/none/cancel"), 404, "workflow_run_not_found")


def test_a_signal_is_kept_and_the_same_twice_is_once(stack, inside):
    start(stack)
    for _ in range(2):
        run = inside.post(f"{RUNS}/of-tomorrow:0/signal", {"name": "go", "signal": "s1", "payload": {"a": 1}}, expect=200)
        assert [(s["id"], s["name"], s["used_at"]) for s in run["signals"]] == [("s1", "go", None)]
    problem(inside.ask("POST", f"{RUNS}/of-tomorrow:0/signal", {}), 400, "bad_fields")
    problem(inside.ask("POST", f"{RUNS}/none/signal", {"name": "go"}), 404, "workflow_run_not_found")
    inside.post(f"{RUNS}/of-tomorrow:0/cancel", expect=200)
    problem(inside.ask("POST", f"{RUNS}/of-tomorrow:0/signal", {"name": "go"}), 409, "workflow_run_over")


def test_nobody_but_an_operator_on_this_machine_may(stack, alice):
    start(stack)
    for method, path in (("GET", RUNS), ("GET", f"{RUNS}/x"), ("POST", f"{RUNS}/x/redrive"), ("POST", f"{RUNS}/x/cancel")):
        problem(alice.ask(method, path), 401, "token_invalid")
        problem(stack.anybody().ask(method, path), 401, "unauthenticated")
