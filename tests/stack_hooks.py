"""Webhooks as providers and strangers send them: bodies, signatures, and the request itself."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from pathlib import Path
from urllib.parse import urlencode

from stack_client import Client

VAPI = Path(__file__).resolve().parent / "data" / "vapi"


def recorded(name):
    """A message of Vapi as it was recorded: the inner object."""
    body = json.loads((VAPI / f"webhook.{name}.json").read_text())
    return body.get("message", body)


def vapi_event(kind, call_id, assignment=None, **more):
    """A message of Vapi about a call: kind is a recorded one, such as "status-update.ringing"."""
    message = recorded(kind)
    call = {**message.get("call", {}), "id": call_id, "name": assignment}
    call["assistantOverrides"] = {"metadata": {"assignment_id": assignment}} if assignment else {}
    if not assignment:
        del call["name"]
    message.update(call=call, **more)
    return {"message": message}


def mac(secret, text, digest="sha256"):
    """The bytes of an HMAC."""
    key = secret if isinstance(secret, bytes) else secret.encode()
    return hmac.new(key, text, getattr(hashlib, digest)).digest()


def vapi_hmac(secret, body, config=None, at=None, url=""):
    """Headers of a Vapi HMAC credential; config as in webhook_secrets."""
    conf = {"algorithm": "sha256", "signatureHeader": "x-signature", "timestampHeader": "x-timestamp",
            "signaturePrefix": "", "payloadFormat": "{timestamp}.{body}", "signatureEncoding": "hex", **(config or {})}
    stamp, ident = str(int(time.time()) if at is None else at), "msg_" + uuid.uuid4().hex
    key = base64.b64decode(secret) if conf.get("secretIsBase64") else secret
    text = conf["payloadFormat"].encode()
    for name, value in (("timestamp", stamp), ("svix-id", ident), ("method", "POST"), ("url", url), ("body", body)):
        text = text.replace(b"{" + name.encode() + b"}", value if isinstance(value, bytes) else value.encode())
    raw = mac(key, text, conf["algorithm"])
    word = base64.b64encode(raw).decode() if conf["signatureEncoding"] == "base64" else raw.hex()
    headers = {conf["signatureHeader"]: conf["signaturePrefix"] + word}
    if "{timestamp}" in conf["payloadFormat"]:
        headers[conf["timestampHeader"]] = stamp
    if conf.get("messageIdHeader"):
        headers[conf["messageIdHeader"]] = ident
    return headers


def synthflow_signature(secret, call_id, header="Synthflow-Signature"):
    """The header with SynthFlow's signature over the call's id."""
    return {header: base64.b64encode(mac(secret, call_id.encode())).decode()}


def stripe_signature(secret, body, at=None):
    """Stripe's header; several secrets, as while one is rolled: one v1 each."""
    stamp = str(int(time.time()) if at is None else int(at))
    signed = [mac(s, f"{stamp}.".encode() + body).hex() for s in ([secret] if isinstance(secret, str) else secret)]
    return {"Stripe-Signature": ",".join([f"t={stamp}", *(f"v1={s}" for s in signed)])}


def paddle_signature(secret, body, at=None):
    """The same at Paddle's."""
    stamp = str(int(time.time()) if at is None else int(at))
    signed = [mac(s, f"{stamp}:".encode() + body).hex() for s in ([secret] if isinstance(secret, str) else secret)]
    return {"Paddle-Signature": ";".join([f"ts={stamp}", *(f"h1={s}" for s in signed)])}


def twilio_signature(token, url, form=()):
    """Twilio's header over an address and a form (pairs), as its own library makes it."""
    text = url + "".join(name + value for name, value in sorted(set(form)))
    return {"X-Twilio-Signature": base64.b64encode(mac(token, text.encode(), "sha1")).decode()}


SIGNATURES = {"stripe": stripe_signature, "paddle": paddle_signature}


class Hooks:
    """Sends webhooks to a stack's programs."""

    def __init__(self, stack):
        self.stack = stack

    def send(self, kind, organization, body, headers):
        """One webhook; answers the response.  body: bytes, or what becomes JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Client(self.stack.url, headers).ask("POST", f"/api/webhooks/{kind}/{organization}", raw)

    def vapi(self, organization, body, headers=None):
        """One of Vapi, with the installation's secret unless headers say otherwise; its answer must be 200."""
        answer = self.send("vapi", organization, body,
                           {"X-Vapi-Secret": self.stack.secrets["vapi"]} if headers is None else headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def synthflow(self, organization, call_id, headers=None, **more):
        """One of SynthFlow, truly signed; its answer must be 200."""
        body = {"status": "completed", "call": {"call_id": call_id, "status": "completed"}, **more}
        answer = self.send("synthflow", organization, body, headers or synthflow_signature(
            self.stack.secrets["synthflow"], call_id))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def money(self, provider, body, headers=None):
        """One of a payment provider, truly signed unless headers say otherwise; answers the response."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        signed = SIGNATURES[provider](self.stack.secrets[provider], raw) if headers is None else headers
        return Client(self.stack.url, signed).ask("POST", f"/api/webhooks/{provider}", raw)

    def twilio(self, tail, form, headers=None, account="AC1", raw=None):
        """One of Twilio below its address, of our account, truly signed unless headers say otherwise; answers the response.  form: a mapping,
        or pairs; raw: other bytes than the form's."""
        pairs = [(name, str(value)) for name, value in (form.items() if isinstance(form, dict) else form)]
        pairs += [("AccountSid", account)] if account else []
        path = "/api/webhooks/twilio" + tail
        signed = twilio_signature(self.stack.keys["twilio"], self.stack.url + path, pairs) if headers is None else headers
        return Client(self.stack.url, {"Content-Type": "application/x-www-form-urlencoded", **signed}).ask(
            "POST", path, urlencode(pairs).encode() if raw is None else raw)

    def token(self, assignment):
        """The header with the token of one call, as the provider was given it."""
        ident, = (c["id"] for c in self.stack.sandbox.calls(provider="vapi") if c["assignment_id"] == str(assignment))
        shown = self.stack.sandbox.http.get(f"{self.stack.sandbox.vapi_url}/call/{ident}", timeout=30, headers={
            "Authorization": f"Bearer {self.stack.keys['vapi']}"}).json()
        return {"X-Vapi-Secret": shown["assistantOverrides"]["server"]["headers"]["X-Vapi-Secret"]}

    def states(self, where="true", *args):
        """The states of kept events, in the order of their arrival."""
        return [row.state for row in self.stack.sql(
            f"select state from webhook_events where {where} order by id", *args)]
