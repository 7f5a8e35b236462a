"""nginx as nginx/render makes it, in front of small CGI programs that show what they were given."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from stack_process import PATIENCE, children, end_all, free_port

TOP = Path(__file__).resolve().parents[2]
RENDER = TOP / "nginx" / "render"
PROGRAMS = ("calls", "vapi-webhook", "synthflow-webhook", "stripe-webhook", "paddle-webhook", "twilio-webhook", "queue-pump", "workflow-pump", "status")
MEMBERS = {"type", "title", "status", "detail", "code", "errors", "request_id"}

ECHO = """#!/bin/sh
body=$(cat | wc -c)
printf 'Content-Type: application/json\\r\\nX-Content-Type-Options: nosniff\\r\\nX-Request-Id: %s\\r\\n\\r\\n' "$REQUEST_ID"
printf '{"program":"%s","uri":"%s","id":"%s","header_id":"%s","underscore":"%s","proxy":"%s","body":%s,"pad":"%2000s"}' \
    "$(basename "$0")" "$REQUEST_URI" "$REQUEST_ID" "$HTTP_X_REQUEST_ID" "$HTTP_SYNTHFLOW_SIGNATURE" \
    "$HTTP_PROXY" "$body" x
"""


def render(template, **values):
    pairs = [f"{name}={value}" for name, value in values.items()]
    return subprocess.run([RENDER, template, *pairs], check=True, capture_output=True, text=True).stdout


def wait(condition, what, seconds=PATIENCE):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"{what} did not happen in {seconds} s"
        time.sleep(0.02)


class Nginx:
    """nginx and fcgiwrap in a folder of their own."""

    def __init__(self, folder, **values):
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes = []
        self.values = {"SOCKETS": folder, "API_RATE": 1000, "API_BURST": 1000, "CONF": "/none",
                       "SERVER_NAME": "_", "LISTEN": f"127.0.0.1:{self.port}",
                       "ACCESS_LOG": folder / "access.log", "PROGRAMS": folder, **values}

    def spawn(self, *command):
        log = open(self.folder / "stderr.log", "ab")
        self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def start(self):
        user = "user root;" if os.geteuid() == 0 else ""
        server = self.folder / "server.conf"
        server.write_text(render("hookswitch.conf.in", **self.values))
        conf = self.folder / "nginx.conf"
        conf.write_text(render("nginx.conf.in", STATE=self.folder, USER=user, INCLUDE=server))
        self.spawn("/usr/sbin/nginx", "-e", "stderr", "-p", str(self.folder), "-c", str(conf))
        wait(self.listens, f"nginx: {(self.folder / 'stderr.log').read_text()}")
        return self

    def listens(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def with_programs(self):
        for name in PROGRAMS:
            program = self.folder / name
            program.write_text(ECHO)
            program.chmod(0o755)
        path = self.folder / "wrap.sock"
        self.values["CGI"] = path
        self.spawn("/usr/sbin/fcgiwrap", "-c", "2", "-s", f"unix:{path}")
        wait(path.exists, "fcgiwrap's socket")
        return self.start()

    def stop(self):
        workers = [pid for process in self.processes for pid in children(process.pid)]
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(10)
        end_all(workers)

    def ask(self, method, path, **more):
        return requests.request(method, self.url + path, timeout=60, **more)

    def logged(self, words):
        """Wait until the words stand in the access log: nginx writes it after its answer."""
        wait(lambda: words in (self.folder / "access.log").read_text(), f"{words} in the access log")

    def raw(self, data):
        with socket.create_connection(("127.0.0.1", self.port), 10) as s:
            s.sendall(data)
            s.settimeout(60)
            answer = b""
            while chunk := s.recv(65536):
                answer += chunk
        return answer.decode()


@pytest.fixture(scope="module")
def nginx(tmp_path_factory):
    server = Nginx(tmp_path_factory.mktemp("nginx"))
    try:
        yield server.with_programs()
    finally:
        server.stop()


def problem(answer, status, code):
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == MEMBERS
    assert (body["status"], body["code"], body["errors"]) == (status, code, [])
    assert body["request_id"] == answer.headers["X-Request-Id"]
    return body


@pytest.mark.parametrize("path,program", [
    ("/api/v1/calls", "calls"), ("/api/v1/calls/", "calls"), ("/api/v1/calls/7/cancel?x=1", "calls"),
    ("/api/webhooks/vapi/7", "vapi-webhook"), ("/api/webhooks/synthflow/7", "synthflow-webhook"),
    ("/api/webhooks/stripe", "stripe-webhook"), ("/api/webhooks/paddle", "paddle-webhook"),
    ("/api/webhooks/twilio/sms", "twilio-webhook"), ("/api/webhooks/twilio/voice/recording", "twilio-webhook"),
    ("/internal/queue-pump?wait=1", "queue-pump"),
    ("/internal/workflow-pump", "workflow-pump"), ("/internal/workflow-runs?state=failed", "workflow-pump"),
    ("/internal/workflow-runs/mail:1/redrive", "workflow-pump"), ("/healthz", "status"), ("/readyz", "status"),
    ("/metrics", "status")])
def test_each_path_leads_to_its_program(nginx, path, program):
    answer = nginx.ask("GET", path)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["program"], answer.json()["uri"]) == (program, path)


@pytest.mark.parametrize("path", ["/", "/api/v1/callsign", "/api/v1", "/api/webhooks/vapi", "/api/webhooks/stripe/7", "/healthz/x",
                                  "/internal/", "/internal/other", "/hookswitch-problem", "/metrics2"])
def test_other_paths_are_not_found_in_the_one_shape(nginx, path):
    problem(nginx.ask("GET", path), 404, "not_found")


def test_the_path_comes_to_the_program_as_it_was_written(nginx):
    path = "/api/v1/calls/a%2Fb//c%20d"
    assert nginx.ask("GET", path).json()["uri"] == path


def test_a_request_has_one_id_and_the_clients_is_not_believed(nginx):
    answer = nginx.ask("GET", "/healthz", headers={"X-Request-Id": "mine"})
    body = answer.json()
    assert len(body["id"]) == 32 and body["id"] == body["header_id"] == answer.headers["X-Request-Id"]
    nginx.logged(f"request_id={body['id']}")


def test_a_signature_header_with_an_underscore_arrives(nginx):
    answer = nginx.ask("POST", "/api/webhooks/synthflow/7", data=b"{}",
                       headers={"Synthflow_Signature": "abc"})
    assert answer.json()["underscore"] == "abc"


def test_a_proxy_header_does_not_become_a_proxy(nginx):
    assert nginx.ask("GET", "/healthz", headers={"Proxy": "http://evil"}).json()["proxy"] == ""


@pytest.mark.parametrize("path,limit", [("/api/v1/calls", 2 << 20), ("/api/webhooks/vapi/7", 4 << 20),
                                        ("/api/webhooks/synthflow/7", 4 << 20), ("/api/webhooks/stripe", 4 << 20), ("/internal/queue-pump", 8192)])
def test_a_body_may_be_as_large_as_the_list_says_and_no_larger(nginx, path, limit):
    assert nginx.ask("POST", path, data=b"x" * limit).json()["body"] == limit
    problem(nginx.ask("POST", path, data=b"x" * (limit + 1)), 413, "too_large")


def test_a_broken_request_is_answered_in_the_one_shape(nginx):
    head, body = nginx.raw(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n").split("\r\n\r\n", 1)
    assert head.startswith("HTTP/1.1 400 ")
    assert json.loads(body)["code"] == "bad_request"


def test_a_method_that_nginx_refuses_is_answered_in_the_one_shape(nginx):
    problem(nginx.ask("TRACE", "/healthz"), 405, "method_not_allowed")


def test_every_answer_has_the_security_headers(nginx):
    for path in ("/healthz", "/nothing"):
        headers = nginx.ask("GET", path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Server"] == "nginx", "the version is nobody's business"
    headers = nginx.ask("GET", "/healthz").headers
    assert headers["X-Frame-Options"] == "DENY" and headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_long_answers_of_the_api_are_compressed(nginx):
    assert nginx.ask("GET", "/api/v1/calls").headers["Content-Encoding"] == "gzip"


def test_a_connection_is_kept(nginx):
    answer = nginx.raw(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
                       b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.count("HTTP/1.1 200 OK") == 2


def test_the_access_log_holds_no_secrets(nginx):
    answer = nginx.ask("GET", "/api/v1/calls?token=s3cret-query", headers={"Authorization": "Bearer s3cret-head"})
    nginx.logged(f"request_id={answer.headers['X-Request-Id']}")
    assert "s3cret" not in (nginx.folder / "access.log").read_text()


def test_the_access_log_names_what_was_asked_for_also_when_nginx_refuses(nginx):
    nginx.ask("PUT", "/nowhere?x=1")
    nginx.logged("method=PUT path=/nowhere status=404 ")


def test_a_program_that_is_down_is_a_502_in_the_one_shape(tmp_path):
    server = Nginx(tmp_path).start()
    try:
        answer = server.ask("POST", "/api/webhooks/vapi/7", data=b"{}")
        problem(answer, 502, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
    finally:
        server.stop()


def test_the_api_is_rate_limited_and_webhooks_never_are(tmp_path):
    server = Nginx(tmp_path, API_RATE=1, API_BURST=2).start()
    try:
        with ThreadPoolExecutor(8) as pool:
            began = time.monotonic()
            api = list(pool.map(lambda _: server.ask("GET", "/api/v1/calls"), range(20)))
            took = time.monotonic() - began
            hooks = list(pool.map(lambda _: server.ask("POST", "/api/webhooks/vapi/7"), range(20)))
        refused = [a for a in api if a.status_code == 429]
        assert len(refused) >= 20 - 3 - took, "the first one, two more at once, and one a second"
        assert problem(refused[0], 429, "rate_limited")
        assert refused[0].headers["Retry-After"] == "1"
        assert {h.status_code for h in hooks} == {502}, "nothing listens there, and nobody was turned away"
    finally:
        server.stop()


def test_internal_paths_answer_to_this_machine_only():
    text = render("hookswitch.conf.in", **Nginx(Path("/nowhere")).values)
    for path in ("= /internal/queue-pump", "= /internal/workflow-pump", "= /internal/workflow-runs",
                 "^~ /internal/workflow-runs/", "= /metrics"):
        block = text.split(f"location {path} {{")[1].split("}")[0]
        assert block.count("allow") == 2 and "deny all;" in block
        assert "fastcgi_read_timeout 3700s;" in block, "a turn may wait for an hour"
    assert "deny" not in text.split("location = /healthz {")[1].split("}")[0]


def nginx_accepts(folder, server):
    """What nginx says of a server's configuration."""
    include = folder / "server.conf"
    include.write_text(server)
    conf = folder / "nginx.conf"
    conf.write_text(render("nginx.conf.in", STATE=folder, USER="", INCLUDE=include))
    return subprocess.run(["/usr/sbin/nginx", "-t", "-e", "stderr", "-p", folder, "-c", conf], capture_output=True,
                          text=True, timeout=60)


def with_tls(folder, changes):
    """The configuration as tls.conf.example tells to change it, with a certificate made here."""
    certificate, key = folder / "fullchain.pem", folder / "privkey.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=api.example.com", "-days", "1", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    inside, beside = changes.split("\n# Beside it", 1)
    for name, path in (("fullchain.pem", certificate), ("privkey.pem", key)):
        wanted = f"/etc/letsencrypt/live/api.example.com/{name}"
        assert wanted in inside
        inside = inside.replace(wanted, str(path))
    text = render("hookswitch.conf.in", **{**Nginx(folder).values, "LISTEN": "80"})
    assert text.count("\tlisten 80;\n\tserver_name _;\n") == 1
    text = text.replace("\tlisten 80;\n\tserver_name _;\n", inside) + "\n# Beside it" + beside
    return on_loopback(text)


def on_loopback(text):
    """nginx -t opens what it would listen at: other ports, on loopback only."""
    ports = {"443": free_port(), "80": free_port()}
    hosts = {"": "127.0.0.2", "[::]:": "127.0.0.3", "127.0.0.1:": "127.0.0.1"}
    text, count = re.subn(r"listen (\S*?)(443|80)(?=[ ;])", lambda m: f"listen {hosts[m[1]]}:{ports[m[2]]}", text)
    assert count == 5
    return text


def test_nginx_accepts_the_example_for_tls(tmp_path):
    changes = (TOP / "nginx" / "tls.conf.example").read_text()
    done = nginx_accepts(tmp_path, with_tls(tmp_path, changes))
    assert done.returncode == 0, done.stderr
    # Since 1.25 nginx has another word for it, which Debian 12's does not know.
    assert not [s for s in done.stderr.splitlines() if "[warn]" in s and '"listen ... http2"' not in s]
    broken = with_tls(tmp_path, changes.replace("ssl_session_tickets", "ssl_session_ticket"))
    assert nginx_accepts(tmp_path, broken).returncode != 0, "a wrong name is seen"


UNITS = {"hookswitch@.socket": "hookswitch@calls.socket", "hookswitch@.service": "hookswitch@calls.service",
         "hookswitch-pump.service": "hookswitch-pump.service", "hookswitch-pump.timer": "hookswitch-pump.timer"}


def verify_units(folder, spoil=str):
    """What systemd says of our units; spoil changes their text before."""
    (folder / "calls").write_text("#!/bin/sh\n")
    (folder / "calls").chmod(0o755)
    for name in UNITS:
        source = TOP / "nginx" / "systemd" / name
        text = source.read_text() if source.exists() else render(
            f"systemd/{name}.in", PROGRAMS=folder, NGINX=TOP / "nginx", SOCKETS=folder, CONF="/etc/hookswitch.conf")
        (folder / name).write_text(spoil(text))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *(folder / unit for unit in UNITS.values())],
                          capture_output=True, text=True, timeout=120)
    return done.returncode, [line for line in done.stderr.splitlines() if "hookswitch" in line]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_accepts_the_units(tmp_path):
    code, said = verify_units(tmp_path)
    assert (code, said) == (0, [])
    assert verify_units(tmp_path, lambda text: text.replace("SocketMode=", "SocketMod="))[1], "a wrong name is seen"


def test_apache_gets_the_same_paths():
    text = render("apache.conf.in", SOCKETS="/run/x")
    lines = (TOP / "nginx" / "programs").read_text().splitlines()
    assert text.count("<LocationMatch") == sum(len(line.split()) - 2 for line in lines if line and line[0] != "#") >= 7
    assert 'LocationMatch "^/internal/queue-pump$"' in text and text.count("Require local") >= 2
    rules = render("htaccess.in", CGI_PATH="cgi-bin", CONF="/etc/x")
    assert "RewriteRule ^api/v1/calls(/|$) cgi-bin/calls.cgi [L]" in rules


def test_apache_leads_each_path_to_its_program():
    """Of its rules the first that fits counts, of its LocationMatch the last."""
    rules = re.findall(r"^RewriteRule (\S+) cgi-bin/([\w-]+)\.cgi", render("htaccess.in", CGI_PATH="cgi-bin", CONF="/etc/x"), re.M)
    places = re.findall(r'<LocationMatch "(.+)">\n\tSetHandler "proxy:unix:/run/x/([\w-]+)\.sock', render("apache.conf.in", SOCKETS="/run/x"))
    lines = [line.split() for line in (TOP / "nginx" / "programs").read_text().splitlines() if line and not line.startswith("#")]
    paths = [(path.rsplit(":", 1)[0], program) for program, _, *listed in lines for path in listed]
    assert ("/api/v1/billing/checkout", "checkout") in paths
    for path, program in paths:
        assert next(name for pattern, name in rules if re.match(pattern, path[1:])) == program, path
        assert [name for pattern, name in places if re.match(pattern, path)][-1] == program, path


def test_a_template_that_lacks_a_value_is_an_error():
    done = subprocess.run([RENDER, "nginx.conf.in"], capture_output=True, text=True)
    assert done.returncode != 0 and "needs" in done.stderr
