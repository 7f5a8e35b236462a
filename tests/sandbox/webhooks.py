"""Sending webhooks: order, retries, signatures, and what rules do to them."""
import asyncio
import base64
import hashlib
import hmac
import random
import re
import time
import uuid
from collections import namedtuple

import aiohttp

# message: what is told. kind: "status-update:ended".
Event = namedtuple("Event", "call kind message")
# One request to be sent. auth: names of the headers that prove who sends it.
Delivery = namedtuple("Delivery", "url headers body timeout plan auth")

HTML = b"<html><body>502 Bad Gateway</body></html>"


def sign_hmac(conf, body, url):
    """Headers of a Vapi HMAC credential over this body."""
    stamp, ident = str(int(time.time())), "msg_" + uuid.uuid4().hex
    key = conf["secretKey"]
    key = base64.b64decode(key) if conf.get("secretIsBase64") else key.encode()
    text = conf.get("payloadFormat", "{timestamp}.{body}").encode()
    for name, value in (("timestamp", stamp), ("method", "POST"), ("url", url),
                        ("svix-id", ident), ("body", body)):
        value = value if isinstance(value, bytes) else value.encode()
        text = text.replace(b"{" + name.encode() + b"}", value)
    mac = hmac.new(key, text, getattr(hashlib, conf.get("algorithm", "sha256"))).digest()
    mac = base64.b64encode(mac).decode() if conf.get("signatureEncoding") == "base64" else mac.hex()
    out = {conf.get("signatureHeader", "x-signature"): conf.get("signaturePrefix", "") + mac}
    if conf.get("includeTimestamp", True):
        out[conf.get("timestampHeader", "x-timestamp")] = stamp
    if conf.get("messageIdHeader"):
        out[conf["messageIdHeader"]] = ident
    return out


def spoil(text):
    """The same proof with one character changed where it counts."""
    if re.search(r"\b(v1|h1)=", text):
        return re.sub(r"(?<=\b[vh]1=)[^,;]+", lambda mark: spoil(mark[0]), text)
    at = len(text) * 3 // 4
    return text[:at] + ("1" if text[at:at + 1] == "0" else "0") + text[at + 1:]


def corrupt(body, how):
    """A body that is no message any more; how as in the rules."""
    if how is None:
        return body
    return {"cut": body[:len(body) // 2], "html": HTML, "empty": b"",
            "array": b"[" + body + b"]"}[how]


class Sender:
    """Sends the events of calls, one after the other for each call."""

    def __init__(self, state):
        self.state = state
        self.providers = {}
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=100, keepalive_timeout=5),
            cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)
        self.tasks = set()

    @property
    def pending(self):
        """How many deliveries are under way or waiting."""
        return len(self.tasks)

    def emit(self, call, kind, message):
        """Tell the customer's server about a call, unless a rule is in the way."""
        event = Event(call, kind, message)
        call.events.append(event)
        kinds = (kind, kind.partition(":")[0])
        act = self.state.action(call.provider, "webhook", call.number, kinds)
        if self._lost(act, kinds):
            self._log(event, {"lost": True})
        elif act.get("order"):
            call.held.append((event, act))
        else:
            self.launch(event, act)

    def _lost(self, act, kinds):
        lose, only = act.get("lose"), act.get("only")
        if only == "report" and kinds[1] == "status-update":
            return True
        if only == "status" and kinds[1] == "end-of-call-report":
            return True
        return bool(set(lose) & set(kinds)) if isinstance(lose, list) else bool(lose)

    def release(self, call):
        """Nothing more comes for this call: send what a rule has kept back, in its order."""
        held, call.held = call.held, []
        if held and held[0][1]["order"] == "shuffle":
            random.Random(call.number).shuffle(held)
        else:
            held.reverse()
        for event, act in held:
            self.launch(event, act)

    def launch(self, event, act):
        """Start as many deliveries of an event as the action says."""
        for _ in range(int(act.get("copies", 1))):
            call, previous, done = event.call, event.call.tail, asyncio.Event()
            delay = act.get("delay", 0)
            if not delay:
                call.tail = done
            task = asyncio.ensure_future(
                self._deliver(event, act, None if delay else previous, done))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _deliver(self, event, act, previous, done):
        """The first attempt keeps the order of the call; further ones hold up nobody."""
        try:
            if previous:
                await previous.wait()
            if act.get("delay"):
                await asyncio.sleep(act["delay"])
            if act.get("hold"):
                await self.state.hold(act)
            plan, status = await self.attempt(event, act, 1)
        finally:
            done.set()
        retries = int((plan or {}).get("maxRetries", 0))
        for n in range(retries):
            if status is not None and 200 <= status < 300:
                return
            if status in plan.get("excludedStatusCodes", ()):
                return
            base = plan.get("baseDelaySeconds", 1) * self.state.settings["backoff_scale"]
            await asyncio.sleep(base * 2 ** n if plan.get("type") == "exponential" else base)
            plan, status = await self.attempt(event, act, n + 2)

    async def attempt(self, event, act, number):
        """Send once; returns the retry plan and the status, None where nobody answered."""
        call = event.call
        d = self.providers[call.provider].delivery(call, event.message, act.get("corrupt"))
        if d is None:
            return None, None
        headers = self._headers(d, act.get("sign"))
        began, status, error, answer = time.time(), None, None, b""
        try:
            timeout = aiohttp.ClientTimeout(total=d.timeout)
            async with self.session.post(d.url, data=d.body, headers=headers, timeout=timeout,
                                         allow_redirects=False) as r:
                status = r.status
                answer = await r.content.read(4096)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as e:
            error = type(e).__name__
        self._log(event, {"url": d.url, "attempt": number, "at": began, "status": status,
                          "seconds": round(time.time() - began, 4), "error": error,
                          "answer": answer.decode("utf-8", "replace")})
        return d.plan, status

    @staticmethod
    def _headers(d, sign):
        headers = dict(d.headers)
        auth = {name.lower() for name in d.auth}
        for name in [n for n in headers if n.lower() in auth]:
            if sign == "none":
                del headers[name]
            elif sign == "wrong":
                headers[name] = spoil(headers[name])
        return headers

    def _log(self, event, what):
        kind, _, status = event.kind.partition(":")
        if event.call.provider in ("stripe", "paddle", "twilio"):
            what["event_id"] = event.message.get("event_id", event.message.get("id"))
        self.state.deliveries.append({"type": kind, "call_status": status or None,
                                      "provider": event.call.provider, "call_id": event.call.id,
                                      "assignment_id": event.call.assignment, **what})

    async def drain(self, call=None, first=False):
        """Wait until a call has told its first event, or all that it has to tell."""
        released = self.state.released
        while not (call.finished or released.is_set() or (first and call.events)):
            await asyncio.sleep(0.005)
        if call.tail:
            await call.tail.wait()

    async def stop(self):
        """Drop what is under way."""
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self):
        """Drop what is under way and close the connections."""
        await self.stop()
        await self.session.close()
