"""The parts of ./dev that could do harm: what it ends, what it changes on the system, what it refuses."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

DEV = Path(__file__).resolve().parents[2] / "dev"


def bash(script, expect=0, **variables):
    """Run a script that knows the functions of ./dev."""
    setting = "".join(f"{name}={value}\n" for name, value in variables.items())
    done = subprocess.run(["bash", "-c", f"source {DEV}\n{setting}{script}"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture
def state(tmp_path):
    (tmp_path / "pid").mkdir()
    (tmp_path / "log").mkdir()
    return {"state": tmp_path, "logs": tmp_path / "log"}


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_what_was_started_is_found_and_ended(state):
    pid = int(bash("spawn sleeper sleep 300; alive sleeper", **state))
    try:
        assert running(pid)
        bash("finish sleeper", **state)
        assert not running(pid)
    finally:
        if running(pid):
            os.kill(pid, signal.SIGKILL)


def test_a_process_that_only_has_the_number_is_left_alone(state):
    stranger = subprocess.Popen(["sleep", "300"])
    try:
        (state["state"] / "pid" / "sleeper").write_text(f"{stranger.pid} 12345\n")
        assert bash("alive sleeper || echo none", **state) == "none"
        bash("finish sleeper", **state)
        assert stranger.poll() is None, "a process of somebody else was ended"
        assert not (state["state"] / "pid" / "sleeper").exists()
    finally:
        stranger.kill()
        stranger.wait()


def test_a_process_that_does_not_listen_is_ended_with_its_children(state):
    there = state["state"] / "deaf.there"
    script = f"trap '' TERM; (trap '' TERM; sleep 300) & >{there}; sleep 300; sleep 300"
    pid = int(bash(f'spawn deaf bash -c "{script}"; wait_for 60 deaf test -e {there}; alive deaf', **state))
    begin = time.monotonic()
    bash("finish deaf", **state)
    assert time.monotonic() - begin > 5, "it was given time"
    groups = [p.read_text().rsplit(") ", 1)[1].split()[2] for p in Path("/proc").glob("[0-9]*/stat")
              if running(p.parent.name)]
    assert str(pid) not in groups


@pytest.mark.parametrize("before", [None, "#!/bin/sh\nexit 0\n"])
def test_the_policy_that_forbids_daemons_is_gone_afterwards(tmp_path, before):
    policy = tmp_path / "policy-rc.d"
    if before:
        policy.write_text(before)
    during = bash("policy_refuse; cat $policy; bash $policy || echo says $?; policy_restore",
                  policy=policy)
    assert "says 101" in during
    assert (policy.read_text() if policy.exists() else None) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == (["policy-rc.d"] if before else [])


def test_a_policy_that_was_left_by_a_killed_run_is_taken_back(tmp_path):
    policy = tmp_path / "policy-rc.d"
    policy.write_text("the system's own\n")
    bash("policy_refuse; policy_refuse; policy_restore", policy=policy)
    assert policy.read_text() == "the system's own\n"


def test_postgresqls_own_cluster_is_forbidden_for_the_time_only(tmp_path):
    conf = tmp_path / "createcluster.conf"
    conf.write_text("#create_main_cluster = true\n")
    during = bash("createcluster_refuse; cat $createcluster; createcluster_restore", createcluster=conf)
    assert during.endswith("create_main_cluster = false")
    assert conf.read_text() == "#create_main_cluster = true\n"


def test_a_taken_port_is_named_and_not_touched(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        assert bash(f"port_taken {port} && echo taken") == "taken"
        said = bash(f"port={port} state={tmp_path}; up 2>&1", expect=1)
        assert f"port {port} is taken" in said and "--port" in said


@pytest.mark.parametrize("arguments", [["run", "--port", "x"], ["run", "--bogus"], ["nothing"]])
def test_a_wrong_argument_is_refused(arguments):
    done = subprocess.run([DEV, *arguments], capture_output=True, text=True)
    assert done.returncode != 0 and done.stderr


def test_a_long_path_does_not_break_sockets(tmp_path):
    long = tmp_path / ("x" * 120)
    found = bash(f'short_dir "$state/run" "$state/run/name.sock"', state=long)
    assert len(found) < 90 and found.endswith("/run")


def test_a_secret_is_made_once_for_its_owner_only(state):
    first, second = bash("secret a; echo; secret a", **state).split()
    assert first == second and len(first) >= 40
    assert (state["state"] / "secrets" / "a").stat().st_mode & 0o077 == 0


def test_a_cluster_elsewhere_that_outlived_its_state_is_made_anew(state):
    far = state["state"] / "far"
    (far / "data").mkdir(parents=True)
    (far / "data" / "hookswitch.conf").touch()
    script = "pgsock=$pgdir/sock; pg_bin() { printf /nowhere; }; as_pg() { echo asked: $1; false; }; pg_make"
    assert bash(f"touch $state/cluster; {script}", pgdir=far, **state) == "", "it is ours"
    bash(f"rm $state/cluster; {script}", pgdir=far, expect=1, **state)
    assert "asked: /nowhere/initdb" in (state["logs"] / "initdb.log").read_text()
    assert not (far / "data").exists()
    (far / "data").mkdir()
    (far / "data" / "hookswitch.conf").touch()
    assert bash(script.replace("pg_make", "state=${pgdir%/far}; pgdir=$state/pg; mkdir -p $pgdir/data;"
                               " touch $pgdir/data/hookswitch.conf; pg_make"), pgdir=far, **state) == "", "the usual place"


def test_a_name_for_another_database_on_the_same_server():
    script = 'admin="$0"; eval "$(sed -n "/^url()/,/^}/p" "$1")"; url other hookswitch_app'
    for address, other in (
            ("postgresql:///postgres?host=/run/x&user=postgres",
             "postgresql:///other?host=/run/x&user=hookswitch_app"),
            ("postgresql://root:pw@db:5433/postgres", "postgresql://root:pw@db:5433/other?user=hookswitch_app"),
            ("postgres://db", "postgres://db/other?user=hookswitch_app")):
        done = subprocess.run(["bash", "-c", script, address, DEV.parent / "tests" / "make-database"],
                              capture_output=True, text=True)
        assert done.stdout == other, done.stderr
