"""Every way to trigger the pump, who may, and turns that stay."""

import json
import re
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from stack import TOP, wait_until
from stack_client import problem
from stack_process import environment

PATH = "/internal/queue-pump"


@pytest.fixture
def due(stack):
    """Three calls that are due."""
    stack.provider("vapi")
    stack.template()
    return stack.schedule(3)


def gateway(stack, *command, **variables):
    """One request by the variables of CGI; answers status and body."""
    env = environment(HOOKSWITCH_CONF=stack.conf, REQUEST_METHOD="POST", REQUEST_URI=PATH, GATEWAY_INTERFACE="CGI/1.1",
                      REMOTE_ADDR="127.0.0.1", HTTP_AUTHORIZATION="Bearer " + stack.secrets["internal"]) | variables
    done = subprocess.run(command, env={k: v for k, v in env.items() if v is not None}, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=120, check=False)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    assert head.startswith(b"Status: "), (done.stdout, done.stderr)
    return int(head.split()[1]), json.loads(body)


def summary(text):
    """What the pump said, by itself or beside the other one."""
    own = re.search(r"^queue-pump (.*)$", text, re.M)
    return json.loads(own[1] if own else text)


def by_socket(stack, **variables):
    """cgi-fcgi from a shell, straight to the program's socket."""
    return gateway(stack, "/usr/bin/cgi-fcgi", "-bind", "-connect", str(stack.run / "queue-pump.sock"), **variables)


def by_cgi(stack, **variables):
    """The program itself as plain CGI."""
    return gateway(stack, str(stack.build / "handlers" / "queue-pump"), **variables)


WAYS = {"cgi-fcgi": by_socket, "cgi": by_cgi}


def test_through_nginx_with_the_token(stack, due):
    answer = stack.pump_ask()
    assert answer.status_code == 200 and answer.json()["claimed"] == 3
    stack.drain()
    stack.invariants()


def test_through_nginx_without_the_token_nothing_is_done(stack, due):
    problem(stack.pump_ask(headers={"Authorization": None}), 401, "unauthenticated")
    problem(stack.pump_ask(headers={"Authorization": "Bearer wrong"}), 401, "token_invalid")
    problem(stack.pump_ask(headers={"Authorization": f"Bearer {stack.token('alice')}"}), 401, "token_invalid")
    problem(stack.pump_ask(wait="x"), 400, "bad_fields")
    problem(stack.pump_ask(wait=-1), 400, "bad_fields")
    assert stack.count("call_assignments") == 0


@pytest.mark.parametrize("way", WAYS)
def test_from_a_shell_with_the_variables_of_cgi(stack, due, way):
    status, told = WAYS[way](stack)
    assert (status, told["claimed"]) == (200, 3)
    stack.drain()
    stack.invariants()


@pytest.mark.parametrize("program", ["trigger-pump", "/queue-pump --once", "cgi-fcgi"])
def test_from_a_shell_by_the_lines_for_cron(stack, due, program):
    """As they are rendered, with nothing around them but what cron gives; only they wait for a shorter time."""
    text = subprocess.run([TOP / "nginx" / "render", "cron.example.in", f"CONF={stack.conf}", f"NGINX={TOP}/nginx",
                           f"PROGRAMS={stack.build}/handlers", f"SOCKETS={stack.run}"],
                          capture_output=True, text=True, check=True).stdout
    setting = re.search(r"^HOOKSWITCH_CONF=(.*)$", text, re.M)[1]
    lines = re.findall(r"^(?:# )?(?:\* ){5} *hookswitch +(.*) >/dev/null$", text, re.M)
    command = re.sub(r"wait([= ])55", r"wait\g<1>1", next(line for line in lines if program in line))
    assert len(lines) == 5 and "%" not in command
    done = subprocess.run(["/bin/sh", "-c", command.replace("http://127.0.0.1", stack.url)],
                          env=environment(HOOKSWITCH_CONF=setting) | {"PATH": "/usr/bin:/bin"}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    head, _, body = done.stdout.rpartition("\n\n")
    assert summary(body)["claimed"] == 3 and (program != "cgi-fcgi" or head.startswith("Status: 200"))
    stack.drain()
    stack.invariants()


@pytest.mark.parametrize("way", WAYS)
def test_another_machine_gets_nothing_done_even_with_the_token(stack, due, way):
    for address in ("10.0.0.1", "192.168.1.1", "::2", "128.0.0.1", "1270.0.0.1", "::ffff:10.0.0.1"):
        for more in ({}, {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, {"HTTP_X_REAL_IP": "127.0.0.1"}):
            assert WAYS[way](stack, REMOTE_ADDR=address, **more)[1]["code"] == "forbidden"
        if way == "cgi":
            break
    status, body = WAYS[way](stack, HTTP_AUTHORIZATION=None)
    assert (status, body["code"]) == (401, "unauthenticated")
    assert stack.count("call_assignments") == 0


def test_without_a_token_in_the_settings_loopback_is_enough(stack, due):
    stack.settings_write(HOOKSWITCH_INTERNAL_TOKEN=None)
    try:
        assert by_cgi(stack, HTTP_AUTHORIZATION=None)[1]["claimed"] == 3
        assert by_cgi(stack, HTTP_AUTHORIZATION=None, REMOTE_ADDR="10.0.0.1")[0] == 403
    finally:
        stack.settings_write(HOOKSWITCH_INTERNAL_TOKEN=stack.secrets["internal"])


def test_once_from_a_shell(stack, due):
    done = stack.run_program("queue-pump", "--once")
    assert done.returncode == 0 and json.loads(done.stdout)["claimed"] == 3
    assert stack.run_program("queue-pump", "--twice").returncode == 2
    assert stack.run_program("queue-pump", "--once", "--wait").returncode == 2


def test_by_the_script_that_timers_call(stack, due):
    done = subprocess.run([TOP / "nginx" / "trigger-pump", "--wait", "1", stack.url], env=stack.environment(),
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and summary(done.stdout)["claimed"] == 3, done.stderr
    env = stack.environment(HOOKSWITCH_CONF="/none")
    assert subprocess.run([TOP / "nginx" / "trigger-pump", "--wait", "1", stack.url], env=env, capture_output=True,
                          timeout=120, check=False).returncode != 0


# ---- turns that stay -----------------------------------------------------------


def test_what_is_ordered_while_a_turn_waits_is_dialled_by_the_poke(stack):
    """This turn would look by itself only after two minutes and more."""
    stack.provider("vapi")
    stack.template()
    lazy = {"HOOKSWITCH_PUMP_BUSY_MS": 60000, "HOOKSWITCH_PUMP_QUIET_MS": 600000}
    with stack.pumping(env=lazy):
        for n in range(1, 4):
            stack.schedule(1)
            wait_until(lambda n=n: stack.sandbox.dials()["dials"] == n, what="the dial")
    stack.drain()
    stack.invariants()


def test_what_is_ordered_by_sql_while_a_turn_waits_is_found_by_its_own_look(stack, alice):
    stack.provider("vapi")
    template = stack.template()
    with stack.pumping():
        stack.sql("select schedule_call(%s, %s, 'Ann', %s)", alice.id, template, stack.number())
        wait_until(stack.all_over, what="the end of the call")
    stack.invariants()


def test_a_request_that_waits_dials_meanwhile_and_answers_at_its_end(stack):
    stack.provider("vapi")
    stack.template()
    with ThreadPoolExecutor(1) as pool:
        turn = pool.submit(stack.pump_ask, wait=600)
        wait_until(stack.heard, what="the waiting turn")
        stack.schedule(2)
        wait_until(lambda: stack.sandbox.dials()["dials"] == 2, what="the dials")
        assert not turn.done()
        assert stack.stop_program("queue-pump") == 0
        assert turn.result(120).json()["claimed"] == 2
    stack.start_program("queue-pump")
    summary = stack.pump_ask(wait=1).json()
    assert summary["claimed"] == 0 and summary["seconds"] >= 1
    stack.drain()


def test_only_one_turn_waits_on_a_host_and_others_do_what_is_due(stack):
    stack.provider("vapi")
    stack.template()
    with stack.pumping() as waiting:
        second = stack.pump(wait=60)
        assert second["message"].startswith("Another turn waits on this host") and second["seconds"] < 50
        assert stack.pump_ask(wait=60).json()["message"].startswith("Another turn waits on this host")
        assert waiting.alive
    with stack.pumping():
        assert stack.pump(wait=60)["message"].startswith("Another turn waits on this host")


def test_a_turn_that_was_killed_leaves_its_place_to_the_next(stack, due):
    with stack.pumping() as first:
        stack.pumps.remove(first)
        first.kill()
    assert (stack.run / "pump.poke").exists()
    with stack.pumping():
        assert stack.pump(wait=60)["message"].startswith("Another turn waits on this host")
    assert not (stack.run / "pump.poke").exists()


def test_without_its_folder_a_turn_still_waits_and_looks_by_itself(stack, alice):
    stack.provider("vapi")
    template = stack.template()
    pump = stack.pump_begin(wait=600, env={"HOOKSWITCH_RUN_DIR": "/none"})
    stack.sql("select schedule_call(%s, %s, 'Ann', %s)", alice.id, template, stack.number())
    wait_until(stack.all_over, what="the end of the call")
    stack.sql("select schedule_call(%s, %s, 'Ann', %s)", alice.id, template, stack.number())
    wait_until(stack.all_over, what="the end of the second call")
    assert stack.pump_end(pump)["claimed"] == 2


def test_sigterm_ends_a_waiting_turn_with_its_summary(stack, due):
    pump = stack.pump_begin(wait=600)
    wait_until(stack.all_over, what="the end of the calls")
    assert stack.pump_end(pump)["claimed"] == 3


def test_sigterm_lets_a_turn_record_what_it_has_dialled(stack, due):
    """The provider takes its time; the turn hears its answers out and records them before it ends."""
    with stack.sandbox.holding("before", provider="vapi"):
        pump = stack.pump_begin(wait=600)
        wait_until(lambda: stack.sandbox.held() == 3, what="the dials")
        assert stack.count("call_assignments", "state = 'sent'") == 3
        pump.tell(signal.SIGTERM)
    summary = stack.pump_end(pump)
    assert summary["accepted"] == 3
    assert stack.count("call_assignments", "state = 'sent'") == 0
    stack.drain()
    stack.invariants()


def test_sigterm_to_the_served_pump_answers_the_request_in_hand(stack, due):
    with ThreadPoolExecutor(1) as pool:
        with stack.sandbox.holding("before", provider="vapi"):
            turn = pool.submit(stack.pump_ask, wait=600)
            wait_until(lambda: stack.sandbox.held() == 3, what="the dials")
            stack.programs["queue-pump"].tell(signal.SIGTERM)
            assert not turn.done()
        answer = turn.result(120)
        assert (answer.status_code, answer.json()["accepted"]) == (200, 3)
        assert stack.programs["queue-pump"].wait() == 0
    stack.start_program("queue-pump")
    stack.drain()
    stack.invariants()


def test_a_turn_without_a_database_says_so_and_does_not_hang(stack):
    done = stack.run_program("queue-pump", "--once", env={"DATABASE_URL": "postgresql:///none?host=/none"})
    assert done.returncode == 1
    summary = json.loads(done.stdout)
    assert summary["failures"] > 0 and summary["message"].startswith("The database did not answer")


def test_two_turns_that_do_not_wait_may_run_at_once(stack, due):
    start = threading.Barrier(4)

    def turn(_):
        start.wait(30)
        return stack.pump_ask().json()

    with ThreadPoolExecutor(4) as pool:
        turns = list(pool.map(turn, range(4)))
    assert sum(turn["claimed"] for turn in turns) == 3
    assert all(turn["failures"] == 0 for turn in turns)
    stack.drain()
    assert stack.sandbox.dials()["dials"] == 3
    stack.invariants()
