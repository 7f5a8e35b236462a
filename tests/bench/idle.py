"""Nothing to do: memory of all programs with their database connections; and how soon a program answers."""

import os
import socket
import statistics
import struct
import subprocess
import threading
import time
from urllib.parse import urlencode

import measure
from stack import PROGRAMS
from stack_hooks import SIGNATURES, synthflow_signature, twilio_signature
from stack_operators import CLAIM
from stack_process import wait_until

MEMORY_AIM, START_AIM, STARTS = 50, 40, 7
PUMPS, IDLE_AFTER = ("queue-pump", "workflow-pump"), 20
NAMES = ("memory-pss", "start")
WEBHOOK = b'{"message":{"type":"hang","timestamp":1789999918123,"call":{"id":"bench"}}}'
MONEY_WEBHOOK = b'{"id":"evt_bench","event_id":"evt_bench","type":"x","event_type":"x"}'
TWILIO_PATH, TWILIO_FORM = "/api/webhooks/twilio/status", (("AccountSid", "AC1"), ("CallSid", "CAbench"), ("CallStatus", "completed"))
SYNTHFLOW_WEBHOOK = b'{"status":"completed","call":{"call_id":"bench","status":"completed"}}'


def requests_of(stack):
    """One request for each program that makes it ask the database: method, path, headers, body."""
    org = stack.bench_org
    bearer = {"AUTHORIZATION": f"Bearer {stack.token('alice')}"}
    internal = {"AUTHORIZATION": f"Bearer {stack.secrets['internal']}"}
    signed = synthflow_signature(stack.secrets["synthflow"], "bench", "SYNTHFLOW_SIGNATURE")
    money = {kind: {f"{kind.upper()}_SIGNATURE": value for value in sign(stack.secrets[kind], MONEY_WEBHOOK).values()}
             for kind, sign in SIGNATURES.items()}
    operator = {"AUTHORIZATION": f"Bearer {stack.token('olga', **CLAIM)}"}
    return {
        "admin": ("GET", "/api/v1/admin/providers?limit=1", operator, b""),
        "auth": ("GET", "/api/v1/auth/me", bearer, b""),
        "auth-v1": ("GET", "/auth/v1/user", bearer, b""),
        "billing": ("GET", "/api/v1/billing", bearer, b""),
        "assistants": ("GET", "/api/v1/assistants?limit=1", bearer, b""),
        "checkout": ("GET", "/api/v1/billing/checkout/none", bearer, b""),
        "calls": ("GET", "/api/v1/calls?limit=1", bearer, b""),
        "contacts": ("GET", "/api/v1/contacts?limit=1", bearer, b""),
        "organizations": ("GET", "/api/v1/organizations", bearer, b""),
        "phone-numbers": ("GET", "/api/v1/phone-numbers?limit=1", bearer, b""),
        "voices": ("GET", "/api/v1/voices?limit=1", bearer, b""),
        "templates": ("GET", "/api/v1/call-templates?limit=1", bearer, b""),
        "vapi-webhook": ("POST", f"/api/webhooks/vapi/{org}", {"X_VAPI_SECRET": stack.secrets["vapi"]}, WEBHOOK),
        "synthflow-webhook": ("POST", f"/api/webhooks/synthflow/{org}", signed, SYNTHFLOW_WEBHOOK),
        **{f"{kind}-webhook": ("POST", f"/api/webhooks/{kind}", signed, MONEY_WEBHOOK) for kind, signed in money.items()},
        "twilio-webhook": ("POST", TWILIO_PATH, {"X_TWILIO_SIGNATURE": twilio_signature(
            stack.keys["twilio"], stack.url + TWILIO_PATH, TWILIO_FORM)["X-Twilio-Signature"]}, urlencode(TWILIO_FORM).encode()),
        "queue-pump": ("POST", "/internal/queue-pump", internal, b""),
        "workflow-pump": ("POST", "/internal/workflow-pump", internal, b""),
        "status": ("GET", "/readyz", {}, b""),
    }


# ---- FastCGI, as much as one request needs ---------------------------------------


def record(kind, data):
    """One record of request 1."""
    return struct.pack("!BBHHBx", 1, kind, 1, len(data), 0) + data


def pair(name, value):
    """A parameter."""
    words = [word.encode() for word in (name, value)]
    return b"".join(struct.pack("!I", len(w) | 1 << 31) for w in words) + b"".join(words)


def fastcgi(method, path, headers, body):
    """The bytes of a whole request."""
    params = {"REQUEST_METHOD": method, "REQUEST_URI": path, "QUERY_STRING": path.partition("?")[2],
              "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "application/json", "REMOTE_ADDR": "127.0.0.1",
              **{f"HTTP_{name}": value for name, value in headers.items()}}
    text = b"".join(pair(*item) for item in params.items())
    return b"".join((record(1, struct.pack("!HB5x", 1, 0)), record(4, text), record(4, b""),
                     *((record(5, body),) if body else ()), record(5, b"")))


def first_answer(stack, name, request):
    """Milliseconds from exec until a new process of the program has answered whole."""
    path = stack.run / "bench.sock"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(path))
        listener.listen(8)
        client.connect(str(path))
        client.sendall(fastcgi(*request))
        since = time.perf_counter()
        program = subprocess.Popen([stack.build / "handlers" / name], stdin=listener, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=stack.environment())
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
        took = (time.perf_counter() - since) * 1000
        program.terminate()
        program.wait(10)
    assert b"Status: " in answer and b"Status: 5" not in answer, f"{name}: {answer[:500]!r}"
    return took


def starts(stack):
    """The slowest program, and each."""
    rows = []
    for name in PROGRAMS:
        request = requests_of(stack)[name]
        first_answer(stack, name, request)
        took = [first_answer(stack, name, request) for _ in range(STARTS)]
        rows.append(measure.less_is_better(f"start-{name}", took, [START_AIM]))
    yield measure.less_is_better("start", [max(row.value for row in rows)], [START_AIM])
    yield from rows


# ---- memory ------------------------------------------------------------------------


def occupied(stack, when):
    """MiB of all programs and of their connections; told, and added up."""
    programs = [pid for name in PROGRAMS for pid in measure.tree(stack.programs[name].program_pid())]
    servers = measure.backends(stack)
    parts = [[measure.proportional_memory(pid) for pid in pids] for pids in (programs, servers)]
    measure.note(f"memory-pss {when}: {len(programs)} programs {sum(parts[0]):.1f} MiB, {sum(parts[0]) / len(programs):.2f} each, "
                 f"{len(servers)} connections {sum(parts[1]):.1f} MiB")
    return statistics.fsum(parts[0] + parts[1])


def memory(stack):
    """Each program has answered, and nothing has come since for so long that connections were closed; both pumps wait."""
    inside = {"Authorization": f"Bearer {stack.secrets['internal']}"}
    pumps = [threading.Thread(target=stack.anybody().ask, args=("POST", f"/internal/{pump}?wait={IDLE_AFTER}"),
                              kwargs={"headers": inside}) for pump in PUMPS]
    for pump in pumps:
        pump.start()
    for name, (method, path, headers, body) in requests_of(stack).items():
        if name not in PUMPS:
            words = {k.replace("_", "-"): v for k, v in headers.items()}
            stack.anybody().ask(method, path, body or None, headers=words)
    time.sleep(1)
    occupied(stack, "just after work")
    wait_until(lambda: len(measure.backends(stack)) <= len(PUMPS), IDLE_AFTER, "connections that nobody uses being closed")
    time.sleep(2)  # the pumps' own begin anew at that time
    found = occupied(stack, "idle")
    for pump in pumps:
        pump.join()
    return measure.less_is_better("memory-pss", [found], [MEMORY_AIM])


def run(new_stack, wanted, _rounds):
    """The rows of memory and of starts."""
    assert os.path.exists("/proc/self/smaps_rollup"), "the kernel does not tell proportional memory"
    with new_stack() as stack:
        stack.bench_org = stack.user("alice").organization
        stack.provider("vapi"), stack.template(("vapi",))
        if "memory-pss" in wanted:
            yield memory(stack)
        if "start" in wanted:
            yield from starts(stack)
