"""What the sandbox's own tests share: clients of both providers, and a receiver of webhooks."""
import json
import os
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

HERE = os.path.dirname(os.path.abspath(__file__))
NUMBER = "+15557001234"
# What Vapi tells of a call that goes well.
ALL = ["status-update:queued", "status-update:ringing", "status-update:in-progress",
       "status-update:ended", "end-of-call-report"]


def until(condition):
    """Wait for it."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen in 60 s"
        time.sleep(0.01)


def fixture(name):
    """A recorded shape of a provider."""
    with open(os.path.join(HERE, "fixtures", name + ".json"), encoding="utf-8") as f:
        return json.load(f)


class Receiver:
    """Takes webhooks and remembers them; answers holds the statuses to answer first, said is what it says."""

    def __init__(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            """Keeps each request."""

            def do_POST(self):
                """Keep it, answer with the next status in line, else with 200."""
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((dict(self.headers), raw, time.time()))
                self.send_response(outer.answers.pop(0) if outer.answers else 200)
                self.send_header("Content-Length", str(len(outer.said)))
                self.end_headers()
                self.wfile.write(outer.said)

            def log_message(self, *_):
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            """Takes many connections at once."""

            request_queue_size = 256

        self.got, self.answers, self.said = [], [], b"{}"
        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def messages(self):
        """The Vapi messages that came, in their order."""
        return [json.loads(raw)["message"] for _, raw, _ in self.got]

    def kinds(self):
        """Type and status of the Vapi messages that came, in their order."""
        return [m["type"] + (":" + m["status"] if "status" in m else "") for m in self.messages()]


class Vapi:
    """A client of the sandbox's Vapi."""

    def __init__(self, box, receiver):
        self.box, self.receiver, self.count = box, receiver, 0

    def body(self, number=NUMBER, ident=None, **server):
        """A request to start a call, as Hookswitch makes it."""
        self.count += 1
        ident = ident or f"assignment-{self.count}"
        return {"assistantId": "a", "phoneNumberId": "p", "name": ident,
                "customer": {"number": number},
                "assistantOverrides": {
                    "metadata": {"assignment_id": ident},
                    "serverMessages": ["status-update", "end-of-call-report"],
                    "server": {"url": self.receiver.url,
                               "headers": {"X-Vapi-Secret": ident + ".secret"}, **server}}}

    def ask(self, method, path, key="k", **more):
        """Any request."""
        more.setdefault("timeout", 20)
        return requests.request(method, self.box.vapi_url + path,
                                headers={"Authorization": f"Bearer {key}"}, **more)

    def start(self, number=NUMBER, ident=None, timeout=20, **server):
        """Start a call."""
        return self.ask("POST", "/call", json=self.body(number, ident, **server),
                        timeout=timeout)


class Synthflow:
    """A client of the sandbox's SynthFlow."""

    def __init__(self, box, receiver):
        self.box, self.receiver = box, receiver

    def ask(self, method, path, key="k", **more):
        """Any request."""
        return requests.request(method, self.box.synthflow_url + path, timeout=20,
                                headers={"Authorization": f"Bearer {key}"}, **more)

    def start(self, number=NUMBER, ident="assignment-1"):
        """Start a call."""
        return self.ask("POST", "/calls", json={
            "model_id": "m", "phone": number, "name": "Pat Doe",
            "external_webhook_url": self.receiver.url,
            "custom_variables": [{"key": "hookswitch_assignment_id", "value": ident}]})


def raw_post(url, path, body):
    """POST over a bare socket: what came back, and whether the connection was reset."""
    host, port = url.split("/")[2].split(":")
    data = json.dumps(body).encode()
    with socket.create_connection((host, int(port)), 10) as s:
        s.sendall(f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer k\r\n"
                  f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
        got = b""
        try:
            while chunk := s.recv(65536):
                got += chunk
        except ConnectionResetError:
            return got, True
    return got, False
