"""What all programs have in common: start, settings, signals, heads, ids, and a memory that stays flat."""

import json
import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from stack import PROGRAMS, Stack, build_dir, wait_until
from stack_client import Client, problem
from stack_hooks import Hooks, synthflow_signature, vapi_event
from stack_operators import operator
from stack_process import descriptors, environment, resident

UUID = "11111111-1111-4111-8111-111111111111"
GOOD_KEY = "test:" + "A" * 43 + "="


def told(stack, name, *arguments, env, deadline=60):
    """A program with nothing but these settings, until it ends: its exit status and what it said."""
    done = subprocess.run([stack.build / "handlers" / name, *arguments], env=environment(**env), capture_output=True,
                          text=True, timeout=deadline, stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stderr + done.stdout


# ---- settings --------------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_wrong_setting_is_named_and_the_program_does_not_serve(stack, name):
    good = {"DATABASE_URL": stack.url_of("hookswitch_app"), "HOOKSWITCH_SECRET_KEY": GOOD_KEY,
            "HOOKSWITCH_JWT_SECRET": "x" * 40, "API_URL": "http://api.example.com"}
    assert told(stack, name, "--check", env=good)[0] == 0
    for setting, value in [("HOOKSWITCH_THREADS", "many"), ("HOOKSWITCH_THREADS", "0"), ("HOOKSWITCH_THREADS", "65"),
                           ("HOOKSWITCH_DB_CONNECTIONS", ""), ("HOOKSWITCH_DB_PREPARE", "perhaps"),
                           ("HOOKSWITCH_DIAL_TIMEOUT_MS", "1e4"), ("API_URL", "example.com"), ("API_URL", "ftp://x"),
                           ("VAPI_BASE_URL", "javascript:x"), ("DATABASE_URL", "")]:
        status, words = told(stack, name, env={**good, setting: value})
        if value == "" and setting != "DATABASE_URL":
            continue
        assert status == 1 and setting in words, (setting, value, status, words)
        assert "Sanitizer" not in words
    if name == "calls":
        status, words = told(stack, name, env={k: v for k, v in good.items() if "JWT" not in k})
        assert status == 1 and "HOOKSWITCH_JWT_SECRET" in words
    if name in ("auth", "auth-v1", "queue-pump", "workflow-pump", "vapi-webhook", "synthflow-webhook"):
        for key in ("", "x", "test:short", "test:" + "!" * 44, ":" + "A" * 44):
            status, words = told(stack, name, env={**good, "HOOKSWITCH_SECRET_KEY": key})
            assert status == 1 and "HOOKSWITCH_SECRET_KEY" in words, (key, words)


@pytest.mark.parametrize("name", ["auth", "auth-v1", "calls", "organizations"])
@pytest.mark.parametrize("project", [{"SUPABASE_URL": "https://ref.supabase.co"}, {"SUPABASE_JWT_SECRET": "y" * 40}])
def test_beside_a_supabase_project_no_secret_for_tokens_of_ours_is_needed(stack, name, project):
    env = {"DATABASE_URL": stack.url_of("hookswitch_app"), "HOOKSWITCH_SECRET_KEY": GOOD_KEY, **project,
           "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "REQUEST_URI": "/nothing", "REMOTE_ADDR": "192.0.2.1"}
    status, words = told(stack, name, env=env)
    assert status == 0 and "Status: 404" in words, words


@pytest.mark.parametrize("name", PROGRAMS)
def test_secrets_are_never_printed(stack, name):
    env = {"DATABASE_URL": stack.url_of("hookswitch_app"), "HOOKSWITCH_SECRET_KEY": "test:VerySecretAndWrong",
           "HOOKSWITCH_JWT_SECRET": "VerySecretToo", "VAPI_API_KEY": "VerySecretThree", "HOOKSWITCH_THREADS": "x"}
    for arguments in ((), ("--check",), ("--describe-settings",)):
        assert "VerySecret" not in told(stack, name, *arguments, env=env)[1]


@pytest.mark.parametrize("line,word", [("HOOKSWITCH_THREADS=x", "HOOKSWITCH_THREADS"), ("no equals sign", ":1"),
                                       ("=x", ":1")])
def test_a_wrong_settings_file_is_named_with_its_line(stack, tmp_path, line, word):
    conf = tmp_path / "hookswitch.conf"
    conf.write_text(line + "\n" + stack.conf.read_text())
    status, words = told(stack, "status", env={"HOOKSWITCH_CONF": conf})
    assert status == 1 and word in words
    assert told(stack, "status", env={"HOOKSWITCH_CONF": tmp_path / "none"})[0] == 1


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_a_program_says_of_itself(stack, name):
    described = json.loads(told(stack, name, "--describe", env={})[1])
    assert described["program"] == name and all(r["doc"] and r["path"] for r in described["routes"])
    settings = json.loads(told(stack, name, "--describe-settings", env={})[1])
    assert len(json.dumps(settings)) > 1000
    assert re.fullmatch(rf"{name} [0-9].*\n", told(stack, name, "--version", env={})[1])
    assert told(stack, name, "--nonsense", env={"HOOKSWITCH_CONF": stack.conf})[0] == 2
    status, words = told(stack, name, "--help", env={})
    assert status == 0 and "--describe" in words


def test_check_finds_a_function_that_does_not_fit_the_routes(stack):
    stack.sql("alter function api.queue_status() rename to queue_state")
    try:
        status, words = told(stack, "calls", "--check", env={"HOOKSWITCH_CONF": stack.conf})
        assert status == 1 and "queue_status" in words
    finally:
        stack.sql("alter function api.queue_state() rename to queue_status")
    assert told(stack, "calls", "--check", env={"HOOKSWITCH_CONF": stack.conf})[0] == 0


# ---- signals -----------------------------------------------------------------------


def held_up(stack, pool, who):
    """A request to order a call that cannot go on while the returned connection is open."""
    blocker = stack.connect()
    blocker.execute("lock table call_queue in exclusive mode")
    answer = pool.submit(who.ask, "POST", "/api/v1/calls", {
        "recipient_number": stack.number(), "template_id": str(stack.value("select id from call_templates"))})
    wait_until(lambda: stack.value("select exists (select from pg_stat_activity where datname = current_database()"
                                   " and usename = 'hookswitch_app' and wait_event_type = 'Lock')"), what="the request")
    return blocker, answer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGQUIT],
                         ids=lambda n: n.name)
def test_a_signal_lets_the_request_in_hand_end(stack, alice, number):
    stack.provider("vapi")
    stack.template()
    with ThreadPoolExecutor(1) as pool:
        blocker, answer = held_up(stack, pool, alice)
        program = stack.programs["calls"]
        said = len(program.text())
        program.signal(number)
        # It takes no new request while it ends; a successor on the same socket would.
        assert program.alive
        blocker.close()
        assert answer.result(60).status_code == 201
        assert program.wait() == 0
    assert "event=stop" in program.text()[said:]
    assert stack.count("calls") == 1
    stack.start_program("calls")
    assert len(alice.get("/api/v1/calls")["data"]) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_a_keeper_that_is_to_end_lets_the_request_in_hand_end(stack, alice, number):
    """Whatever signal the keeper passes on: the program ends by itself, with its answer given."""
    stack.provider("vapi")
    stack.template()
    stack.start_program("calls", keeper=True)
    with ThreadPoolExecutor(1) as pool:
        blocker, answer = held_up(stack, pool, alice)
        program = stack.programs["calls"]
        said = len(program.text())
        program.signal(number)
        blocker.close()
        assert answer.result(60).status_code == 201
        wait_until(lambda: "event=stop" in program.text()[said:] or not program.children(), what="the program's end")
        assert "event=stop" in program.text()[said:]
    assert stack.count("calls") == 1
    stack.start_program("calls", keeper=False)


def test_a_program_without_a_request_ends_at_once(stack):
    for name in PROGRAMS:
        assert stack.stop_program(name) == 0
    for name in PROGRAMS:
        stack.start_program(name)
    assert stack.anybody().get("/readyz")


def test_a_keeper_starts_a_program_again_and_requests_are_answered_by_the_next_one(stack, alice):
    stack.provider("vapi")
    template = stack.template()
    stack.start_program("calls", keeper=True)
    for kill in (True, False, True, False):
        pid = wait_until(stack.programs["calls"].program_pid, what="the program")
        if kill:
            stack.kill_program("calls")
        else:
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda pid=pid: stack.programs["calls"].program_pid() not in (None, pid), what="the next program")
        stack.schedule(1, alice, template)
    assert stack.count("calls") == 4
    stack.start_program("calls", keeper=False)


def test_no_request_is_lost_while_programs_are_changed_again_and_again(stack, alice):
    """The socket stays: what arrives while nobody is there waits for the next one."""
    stack.provider("vapi")
    template = stack.template()
    stack.start_program("calls", keeper=True)
    body = {"template_id": template, "recipient_number": "+15557000000"}
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(alice.with_headers().ask, "POST", "/api/v1/calls", body) for _ in range(200)]
        for _ in range(5):
            pid = wait_until(stack.programs["calls"].program_pid, what="the program")
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda pid=pid: stack.programs["calls"].program_pid() not in (None, pid), what="the next program")
        statuses = [answer.result(120).status_code for answer in answers]
    assert statuses == [201] * 200
    assert stack.count("calls") == 200
    stack.start_program("calls", keeper=False)


# ---- the database goes and comes -------------------------------------------------------


def test_connections_that_the_database_closed_are_opened_again_unnoticed(stack, alice):
    stack.provider("vapi")
    template = stack.template()
    hooks = Hooks(stack)
    for n in range(5):
        closed = stack.value("""select count(pg_terminate_backend(pid)) from pg_stat_activity
                                 where usename = 'hookswitch_app' and datname = current_database()""")
        assert closed > 0 or n == 0
        stack.schedule(1, alice, template)
        alice.get("/api/v1/calls")
        hooks.vapi(alice.organization, vapi_event("status-update.ringing", f"c{n}"))
        assert stack.anybody().get("/readyz") == {"status": "ready"}
        assert stack.pump_ask().json()["failures"] == 0
    assert stack.count("calls") == 5


def test_without_a_database_the_api_says_so_and_comes_back_by_itself(stack, alice):
    stack.provider("vapi")
    template = stack.template()
    stack.database_open(False)
    try:
        stack.sql("""select pg_terminate_backend(pid) from pg_stat_activity
                      where usename = 'hookswitch_app' and datname = current_database()""")
        for answer in (alice.ask("GET", "/api/v1/calls"),
                       alice.ask("POST", "/api/v1/calls", {"recipient_number": "+15551230000", "template_id": template})):
            problem(answer, 503, "unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
    finally:
        stack.database_open(True)
    assert alice.get("/api/v1/calls")["data"] == []


# ---- heads and ids ---------------------------------------------------------------------


def test_head_is_get_without_a_body(stack, alice):
    for path in ("/api/v1/calls", "/api/v1/calls/stats", "/healthz", "/readyz", "/metrics", f"/api/v1/calls/{UUID}"):
        get, head = alice.ask("GET", path), alice.ask("HEAD", path)
        if path == "/metrics":
            get = head = stack.anybody().ask("HEAD", path)
        assert head.status_code == get.status_code and head.content == b"", path
        assert head.headers["Content-Type"] == get.headers["Content-Type"]
        if path in ("/healthz", "/readyz"):
            assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_every_answer_has_its_id_which_the_log_has_too(stack, alice):
    ids = set()
    for method, path in (("GET", "/api/v1/calls"), ("GET", "/api/v1/calls/x"), ("POST", "/api/v1/calls"),
                         ("GET", "/healthz"), ("GET", "/nowhere"), ("OPTIONS", "/api/v1/calls")):
        answer = alice.ask(method, path, headers={"X-Request-Id": "mine", "Request-Id": "mine"})
        ident = answer.headers["X-Request-Id"]
        assert re.fullmatch(r"[0-9a-f]{32}", ident) and ident not in ids
        ids.add(ident)
        if path.startswith("/api"):
            line, = wait_until(lambda ident=ident: [line for line in stack.programs["calls"].text().split("\n")
                                                    if f"request_id={ident}" in line], what="the log line")
            assert f"status={answer.status_code}" in line, line


def test_answers_are_not_stored_and_not_sniffed(stack, alice):
    for path in ("/api/v1/calls", "/api/v1/calls/x", "/nowhere", "/healthz"):
        headers = alice.ask("GET", path).headers
        assert headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff", path


def test_logs_hold_no_numbers_of_people_no_keys_and_no_transcripts(stack, alice):
    stack.provider("vapi")
    template = stack.template()
    key = stack.key(alice.organization)
    who = Client(stack.url, {"Authorization": f"Bearer {key}", "Idempotency-Key": "IdemKey1"})
    body = {"recipient_number": "+15554443322", "template_id": template, "recipient_name": "Ann Secret",
            "recipient_email": "ann.secret@example.com", "metadata": {"note": "private-note"}}
    who.post("/api/v1/calls", body, expect=201)
    who.ask("POST", "/api/v1/calls", {**body, "recipient_number": "+15554443322x"})
    who.ask("GET", "/api/v1/calls?recipient_number=%2B15554443322")
    stack.drain()
    words = ["5554443322", "Ann Secret", "ann.secret", "private-note", key, stack.keys["vapi"], stack.secrets["vapi"],
             stack.secrets["jwt"], stack.secrets["internal"], "Am I speaking", "IdemKey1"]
    for log in [*stack.folder.glob("*.log"), stack.folder / "access.txt"]:
        text = log.read_text(errors="replace")
        assert not [word for word in words if word in text], log


# ---- load ----------------------------------------------------------------------------------


def requests_for(stack, alice):
    """For each program a request that it answers in different ways, by its number."""
    hooks, olga = Hooks(stack), operator(stack)
    template, provider = (str(stack.value(f"select id from {table}")) for table in ("call_templates", "call_service_providers"))
    wrong = {"X-Vapi-Secret": "wrong"}
    inside = Client(stack.url, {"Authorization": f"Bearer {stack.secrets['internal']}"})

    def calls(who, n):
        order = {"recipient_number": f"+1555{n:07d}", "template_id": template, "metadata": {"n": "x" * (n % 3000)}}
        return [lambda: who.ask("POST", "/api/v1/calls", order), lambda: who.ask("GET", "/api/v1/calls?limit=100"),
                lambda: who.ask("POST", "/api/v1/calls", {"x": n}), lambda: who.ask("GET", f"/api/v1/calls/{UUID}"),
                lambda: who.ask("POST", "/api/v1/calls", order, headers={"Idempotency-Key": f"k{n % 50}"}),
                lambda: who.ask("GET", "/api/v1/calls", headers={"Authorization": "Bearer x"})][n % 6]()

    def vapi(_, n):
        event = vapi_event(("end-of-call-report", "status-update.ringing", "model-output", "tool-calls")[n % 4], f"c{n}")
        body = b"{" if n % 17 == 0 else event
        return hooks.send("vapi", alice.organization, body, wrong if n % 13 == 0 else {
            "X-Vapi-Secret": stack.secrets["vapi"]})

    def synthflow(_, n):
        signed = synthflow_signature(stack.secrets["synthflow"], f"c{n}" if n % 5 else "wrong")
        return hooks.send("synthflow", alice.organization, {"call": {"call_id": f"c{n}", "status": "completed"}}, signed)

    def auth(who, n):
        ann = {"email": f"ann{n % 7}@example.com", "password": "correct horse"}
        return [lambda: who.ask("POST", "/api/v1/auth/signup", ann), lambda: who.ask("POST", "/api/v1/auth/signin", ann),
                lambda: who.ask("POST", "/api/v1/auth/refresh", {"refresh_token": f"t{n}"}), lambda: who.ask("GET", "/api/v1/auth/me"),
                lambda: who.ask("POST", "/api/v1/auth/totp", {"password": "x"}, headers={"Idempotency-Key": f"k{n}"}),
                lambda: who.ask("PATCH", "/api/v1/auth/me", {"preferences": {"n": "x" * (n % 3000)}})][n % 6]()

    def organizations(who, n):
        path = f"/api/v1/organizations/{alice.organization}"
        return [lambda: who.ask("GET", path), lambda: who.ask("PATCH", path, {"name": f"N{n}", "settings": {"max_concurrent_calls": n}}),
                lambda: who.ask("GET", f"{path}/audit-log/export?format=csv"), lambda: who.ask("POST", f"{path}/members", {"role": n}),
                lambda: who.ask("POST", f"{path}/api-keys", {"name": "x", "scopes": ["*"]}, headers={"Idempotency-Key": f"k{n % 50}"}),
                lambda: who.ask("POST", "/api/v1/organizations/invitations/accept", {"token": "x" * n})][n % 6]()

    def auth_v1(who, n):
        ann = {"email": f"ann{n % 7}@example.com", "password": "correct horse"}
        return [lambda: who.ask("POST", "/auth/v1/signup", ann), lambda: who.ask("POST", "/auth/v1/token?grant_type=password", ann),
                lambda: who.ask("POST", "/auth/v1/token?grant_type=refresh_token", {"refresh_token": f"t{n}"}),
                lambda: who.ask("GET", "/auth/v1/user"), lambda: who.ask("GET", "/auth/v1/verify?type=signup&token=x"),
                lambda: who.ask("POST", "/auth/v1/otp", {**ann, "data": {"n": "x" * (n % 3000)}})][n % 6]()

    def admin(who, n):
        path = f"/api/v1/admin/providers/{provider}"
        return [lambda: olga.ask("GET", "/api/v1/admin/usage/export"), lambda: who.ask("GET", path), lambda: olga.ask("GET", f"{path}/check"),
                lambda: olga.ask("PUT", f"{path}/key", {"api_key": f"key-{n:010d}"})][n % 4]()
    return {"admin": admin, "auth": auth, "auth-v1": auth_v1, "calls": calls, "organizations": organizations, "vapi-webhook": vapi,
            "synthflow-webhook": synthflow,
            "queue-pump": lambda _, n: stack.pump_ask(wait="x" if n % 9 == 0 else None),
            "workflow-pump": lambda _, n: inside.ask("GET" if n % 3 else "POST", (
                "/internal/workflow-pump", "/internal/workflow-runs?limit=5", "/internal/workflow-runs/none")[n % 3]),
            "status": lambda who, n: who.ask("GET", ("/healthz", "/readyz", "/nowhere", "/metrics")[n % 4])}


def hammer(stack, alice, name, begin, n):
    """So many requests by four at once."""
    work = requests_for(stack, alice)[name]

    def some(place):
        who = alice.with_headers() if name in ("calls", "organizations") else stack.anybody()
        return [work(who, begin + i).status_code for i in range(place, n, 4)]

    with ThreadPoolExecutor(4) as pool:
        statuses = sum(pool.map(some, range(4)), [])
    assert len(statuses) == n and not [s for s in statuses if s >= 500], {s for s in statuses if s >= 500}


@pytest.fixture(scope="module")
def plain_stack(tmp_path_factory):
    """Programs without sanitizers, whose memory says something."""
    plain = build_dir("HOOKSWITCH_PLAIN_BUILD_DIR")
    if not (plain / "handlers" / "calls").exists():
        pytest.skip("there is no plain build")
    with Stack(tmp_path_factory.mktemp("plain"), build=plain) as running:
        yield running


def ground(stack):
    """Somebody with a template and a provider that takes nothing."""
    stack.reset()
    stack.provider("vapi", max_concurrent_calls=0)
    stack.template()
    return stack.user("alice")


@pytest.mark.parametrize("name", PROGRAMS)
def test_memory_and_descriptors_stay_flat_over_many_requests(plain_stack, full, name):
    stack, alice = plain_stack, ground(plain_stack)
    total = 10000 if full else 500
    hammer(stack, alice, name, 0, 200)
    pid = stack.programs[name].pid
    before = resident(pid), descriptors(pid)
    hammer(stack, alice, name, 200, total)
    after = resident(pid), descriptors(pid)
    assert stack.programs[name].alive and stack.programs[name].pid == pid
    assert after[0] - before[0] < 2 * 1024 * 1024, f"{name} grew from {before[0]} to {after[0]} bytes"
    # Connections to the database come and go with the load, at most three; nothing else may stay open.
    assert after[1] <= before[1] + 3, f"{name} has {after[1]} descriptors open, {before[1]} before"


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_program_leaks_over_many_requests(stack, full, name):
    """With the sanitized build: what was lost is told when the program ends, and nothing may be."""
    alice = ground(stack)
    hammer(stack, alice, name, 0, 10000 if full else 500)
    assert stack.stop_program(name) == 0
    assert "Sanitizer" not in (stack.folder / f"{name}.log").read_text(errors="replace")
    stack.start_program(name)
