"""The sandbox as a test uses it: start it, tell it how to behave, read what it has seen."""
import os
import subprocess
import time
from contextlib import contextmanager

import requests

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sandbox")


class Sandbox:
    """Control of a running sandbox."""

    def __init__(self, url):
        self.url = url.rstrip("/")
        self.vapi_url = self.url + "/vapi"
        self.synthflow_url = self.url + "/synthflow/v2"
        self.resend_url = self.url + "/resend"
        self.stripe_url = self.url + "/stripe"
        self.paddle_url = self.url + "/paddle"
        self.twilio_url = self.url + "/twilio"
        self.http = requests.Session()
        self.http.trust_env = False

    def _ask(self, method, path, expect=(200, 201), **more):
        r = self.http.request(method, f"{self.url}/_sandbox/{path}", timeout=120, **more)
        assert r.status_code in expect, f"{method} {path}: {r.status_code} {r.text[:500]}"
        return r.json()

    def health(self):
        """Counts of what is going on."""
        return self._ask("GET", "health")

    def reset(self, **settings):
        """Forget calls, counters and rules; settings as at the start but for the given ones."""
        return self._ask("POST", "reset", json=settings)

    def settings(self, **settings):
        """Change settings; answers all of them."""
        return self._ask("POST", "settings", json=settings)

    def rule(self, action, **match):
        """Add one rule: rule({"status": 500}, provider="vapi", operation="create", times=1)."""
        return self._ask("POST", "rules", json={"match": match, "action": action})[0]

    def rules(self):
        """All rules; met and fired say how often."""
        return self._ask("GET", "rules")

    def clear_rules(self):
        """Drop all rules."""
        return self._ask("DELETE", "rules")

    @contextmanager
    def holding(self, when, action=None, **match):
        """While this lasts, requests are held before or after they are accepted; action: what else is done."""
        self.rule({**(action or {}), "hold": when}, **match)
        try:
            yield
        finally:
            self.release()

    def held(self):
        """How many requests and webhooks are held now."""
        return self.health()["held"]

    def release(self):
        """Let go what is held, and hold nothing more."""
        return self._ask("POST", "release")

    def dials(self):
        """How often a telephone rang, by assignment id and by number."""
        return self._ask("GET", "dials")

    def calls(self, **match):
        """All calls, or those where e.g. provider="vapi"."""
        return self._ask("GET", "calls", params=match)

    def mails(self, to=None, **match):
        """All mails that were taken, by Resend or by SMTP, or those to somebody, e.g. via="smtp"."""
        return self._ask("GET", "mails", params={**match, **({"to": to} if to else {})})

    def texts(self, **match):
        """All text messages that were taken, or those where e.g. to="+15550100002"."""
        return self._ask("GET", "texts", params=match)

    def vapi(self):
        """The assistants and phone numbers at Vapi, and how often each was asked for, made and imported."""
        return self._ask("GET", "vapi")

    def smtp_url(self, scheme="smtp", user=""):
        """Where mails are taken by SMTP; smtps needs --smtp-tls."""
        port = self.health()["smtp_port" if scheme == "smtp" else "smtps_port"]
        return f"{scheme}://{user}{'@' if user else ''}127.0.0.1:{port}"

    def webhooks(self, **match):
        """All deliveries, or those where e.g. type="end-of-call-report"."""
        return self._ask("GET", "webhooks", params=match)

    def resend(self, **what):
        """Send webhooks again: call_id, assignment_id, types, times, order, seed, sign, corrupt."""
        return self._ask("POST", "webhooks/resend", json=what)

    def stripe(self):
        """What Stripe holds and has counted."""
        return self._ask("GET", "stripe")

    def stripe_requests(self, **match):
        """All requests to Stripe, or those where e.g. path="customers"."""
        return self._ask("GET", "stripe/requests", params=match)

    def stripe_clock(self, **given):
        """What time it is at Stripe; advance=seconds or to=unix put its clock on, and what is due happens."""
        return self._ask("POST" if given else "GET", "stripe/clock", **({"json": given} if given else {}))["now"]

    def stripe_do(self, kind, ident, **what):
        """A customer does something: kind is checkout, customers, invoices or charges; see README.md."""
        return self._ask("POST", f"stripe/{kind}/{ident}", json=what)

    def stripe_send(self, kind, obj, **event):
        """Send an event of any kind about anything, truly signed."""
        return self._ask("POST", "stripe/send", json={"type": kind, "object": obj, "event": event})

    def paddle(self):
        """What Paddle holds and has counted."""
        return self._ask("GET", "paddle")

    def paddle_do(self, kind, ident=None, **what):
        """Make or change a thing at Paddle: kind is prices, customers, subscriptions; see README.md."""
        return self._ask("POST", f"paddle/{kind}" + (f"/{ident}" if ident else ""), json=what)

    def paddle_send(self, kind, data, **event):
        """Send a notification of any kind about anything, truly signed."""
        return self._ask("POST", "paddle/send", json={"type": kind, "data": data, "event": event})

    def twilio(self):
        """What Twilio holds and has counted: numbers, purchases and releases by number, requests by operation."""
        return self._ask("GET", "twilio")

    def twilio_calls(self, **match):
        """All calls that Twilio's API has made, or those where e.g. to="+15550100002"."""
        return self._ask("GET", "twilio/calls", params=match)

    def twilio_number(self, number, **given):
        """Twilio takes a number back (take_back=True), or somebody else there buys it (account="AC1") or sets it otherwise."""
        return self._ask("POST", f"twilio/numbers/{number}", json=given)

    def twilio_sms(self, to, sender, body="", **more):
        """A text comes in, signed; answers its sid, and status and answer of its webhook."""
        return self._ask("POST", "twilio/sms", json={"to": to, "from": sender, "body": body, **more})

    def twilio_call(self, to, sender, **more):
        """A call comes in: status="busy" tells its end, ask="fallback" asks what to do first; see README.md."""
        return self._ask("POST", "twilio/call", json={"to": to, "from": sender, **more})

    def twilio_send(self, url, form=None, **more):
        """Any form (or json=...) to any address, signed as Twilio does."""
        return self._ask("POST", "twilio/send", json={"url": url, **({"form": form} if form is not None else {}), **more})

    @staticmethod
    def twilio_refusal(code, status=400):
        """An action of a rule: Twilio refuses with one of its codes."""
        return {"status": status, "body": {"code": code, "message": "Refused", "status": status,
                                           "more_info": f"https://www.twilio.com/docs/errors/{code}"}}

    def idle(self, timeout=30):
        """Wait until nothing is going on; an error if that takes too long."""
        return self._ask("POST", f"idle?timeout={timeout}")


class Process(Sandbox):
    """A sandbox of one's own. Use it with "with"."""

    def __init__(self, directory, port=0, *arguments):
        port_file = os.path.join(str(directory), "sandbox.port")
        if os.path.exists(port_file):
            os.unlink(port_file)
        self.process = subprocess.Popen(
            [PROGRAM, "--port", str(port), "--port-file", port_file, *arguments],
            stdout=subprocess.DEVNULL)
        super().__init__(f"http://127.0.0.1:{self._wait(port_file)}")

    def _wait(self, port_file):
        end = time.monotonic() + 20
        while time.monotonic() < end and self.process.poll() is None:
            if os.path.exists(port_file):
                with open(port_file, encoding="ascii") as f:
                    return int(f.read())
            time.sleep(0.02)
        self.stop()
        raise RuntimeError("the sandbox did not start")

    def stop(self):
        """End it; answers its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
