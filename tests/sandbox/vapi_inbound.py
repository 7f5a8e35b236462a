"""Vapi: calls that come in to a number that was imported there, and asking who takes them."""
import asyncio
import json

from aiohttp import web

import outcomes
import shapes
from faults import json_response
from vapi import parse
from webhooks import Event

# Vapi gives up asking after this, end to end.
ASK_SECONDS = 7.5
RETURNED = "assistant-request-returned-"
FAILED = "assistant-request-failed"


class VapiInbound:
    """POST /_sandbox/vapi/call: somebody calls one of the numbers."""

    name = "vapi"

    def __init__(self, state, life, sender):
        self.state, self.life, self.sender = state, life, sender

    def routes(self):
        """All routes, for the application."""
        return [web.post("/_sandbox/vapi/call", self.ring)]

    async def ring(self, request):
        """{"to", "from"} and what a rule for create may say; answers {"id"} once the call is there, and does not wait for what follows."""
        given = parse(await request.read())
        if not isinstance(given, dict) or not isinstance(given.get("to"), str):
            return json_response(400, {"error": "to is the number that is called"})
        act = {k: v for k, v in given.items() if k not in ("to", "from")}
        number = next((n for n in self.state.vapi.numbers.values() if n["number"] == given["to"]), None)
        if number is None:
            return json_response(404, {"error": f"nobody at Vapi has {given['to']}"})
        body = {"phoneNumberId": number["id"], "assistantOverrides": {}}
        if given.get("from"):
            body["customer"] = {"number": given["from"]}
        call = self.life.ring(self.name, given.get("from"), body, act)
        call.inbound, call.servers = number, [number.get("server")]
        self.sender.start(self._answer(call))
        return json_response(201, {"id": call.id})

    async def _answer(self, call):
        """Finds out who takes it, and lets it go its way."""
        ident = call.inbound.get("assistantId")
        if ident:
            self._put_through(call, self.state.vapi.assistants.get(ident), ident, "assistant-not-found")
            return
        message = shapes.vapi_message(call, {"type": "assistant-request"}, self.state.settings)
        event = Event(call, "assistant-request", message)
        try:
            status, text = await asyncio.wait_for(self.sender.ask(event), ASK_SECONDS)
        except asyncio.TimeoutError:
            status, text = None, b""
        self._told(call, status, text)

    def _told(self, call, status, text):
        """What the answer to assistant-request means."""
        try:
            said = json.loads(text) if status and 200 <= status < 300 else None
        except ValueError:
            said = None
        if not isinstance(said, dict):
            self.life.turn_away(call, outcomes.for_reason(FAILED))
        elif said.get("assistantId"):
            ident = said["assistantId"]
            self._put_through(call, self.state.vapi.assistants.get(ident), ident, RETURNED + "invalid-assistant")
        elif isinstance(said.get("assistant"), dict):
            self._put_through(call, said["assistant"], None, None)
        elif isinstance(said.get("destination"), dict):
            call.body["destination"] = said["destination"]
            self.life.turn_away(call, outcomes.for_reason(RETURNED + "forwarding-phone-number"))
        elif "error" in said:
            call.said = said["error"]
            self.life.turn_away(call, outcomes.for_reason(RETURNED + ("error" if said["error"] else "unspeakable-error")))
        else:
            self.life.turn_away(call, outcomes.for_reason(RETURNED + "no-assistant"))

    def _put_through(self, call, assistant, ident, missing):
        """To the assistant, whose server comes before the number's."""
        if assistant is None:
            self.life.turn_away(call, outcomes.for_reason(missing))
            return
        call.body["assistantId" if ident else "assistant"] = ident or assistant
        call.servers.insert(0, assistant.get("server"))
        call.messages = assistant.get("serverMessages")
        self.life.answer(call)
