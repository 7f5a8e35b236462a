"""The control interface below /_sandbox: rules, settings, counters, webhooks again."""
import asyncio
import json
import random
import time

from aiohttp import web

from faults import json_response
from rules import Invalid
from state import merge_settings


class Control:
    """Routes for tests and for people who rehearse."""

    def __init__(self, state, life, sender):
        self.state, self.life, self.sender = state, life, sender
        self.began = time.time()

    def routes(self):
        """All routes, for the application."""
        at = "/_sandbox/"
        return [web.get(at + "health", self.health), web.post(at + "reset", self.reset),
                web.get(at + "settings", self.settings), web.post(at + "settings", self.set),
                web.get(at + "rules", self.rules), web.post(at + "rules", self.add),
                web.delete(at + "rules", self.clear), web.post(at + "release", self.release),
                web.get(at + "dials", self.dials), web.get(at + "calls", self.calls),
                web.get(at + "mails", self.mails), web.get(at + "texts", self.texts),
                web.get(at + "webhooks", self.webhooks),
                web.post(at + "webhooks/resend", self.resend), web.post(at + "idle", self.idle)]

    async def health(self, request):
        """Whether it lives, and what is going on."""
        return json_response(200, {
            "status": "ok", "seconds": round(time.time() - self.began, 3),
            "calls": len(self.state.calls), "live": self.state.counters.live,
            "unfinished": self.state.unfinished, "held": self.state.held, "webhooks_pending": self.sender.pending,
            "mails": len(self.state.mails), **self.state.ports})

    async def reset(self, request):
        """Forget everything; the body, if any, is the settings that differ from the start."""
        given = await _body(request)
        try:
            merge_settings(self.state.first_settings, given or {})
        except Invalid as e:
            return _invalid(e)
        await self.sender.stop()
        self.life.stop()
        self.state.clear()
        self.state.settings = merge_settings(self.state.settings, given or {})
        return json_response(200, self.state.settings)

    async def settings(self, request):
        """The settings in force."""
        return json_response(200, self.state.settings)

    async def set(self, request):
        """Change some settings."""
        try:
            self.state.settings = merge_settings(self.state.settings, await _body(request))
        except Invalid as e:
            return _invalid(e)
        return json_response(200, self.state.settings)

    async def rules(self, request):
        """All rules with their counts."""
        return json_response(200, [r.view() for r in self.state.rules.all])

    async def add(self, request):
        """Add a rule or a list of rules."""
        try:
            made = self.state.rules.add(await _body(request))
        except Invalid as e:
            return _invalid(e)
        return json_response(201, [r.view() for r in made])

    async def clear(self, request):
        """Drop all rules; what they hold is let go."""
        self.state.release()
        self.state.rules.all.clear()
        return json_response(200, [])

    async def release(self, request):
        """Let go what rules hold, and hold nothing more."""
        self.state.release()
        return json_response(200, [r.view() for r in self.state.rules.all])

    async def dials(self, request):
        """How often a telephone rang."""
        return json_response(200, self.state.counters.view())

    async def calls(self, request):
        """All calls, oldest first; narrowed by provider, number, status, assignment_id.  Of one
        attempt also the body that it was made with."""
        body = "assignment_id" in request.query
        keep = [{**c.summary(), **({"body": c.body} if body else {})} for c in self.state.calls.values()]
        return json_response(200, _narrow(keep, request.query))

    async def mails(self, request):
        """All mails that somebody has taken, oldest first; narrowed by to, via, subject, key."""
        to = request.query.get("to")
        rest = {k: v for k, v in request.query.items() if k != "to"}
        return json_response(200, _narrow([m for m in self.state.mails
                                           if to is None or to in m["to"]], rest))

    async def texts(self, request):
        """All text messages that somebody has taken, oldest first; narrowed by any of their keys."""
        return json_response(200, _narrow(self.state.texts, request.query))

    async def webhooks(self, request):
        """All deliveries, oldest first; narrowed by any of their keys."""
        return json_response(200, _narrow(self.state.deliveries, request.query))

    async def resend(self, request):
        """Send events again, one after the other, and answer when all are sent."""
        given = await _body(request) or {}
        try:
            events, act = self._chosen(given)
        except (Invalid, IndexError, KeyError, TypeError, ValueError) as e:
            return _invalid(e)
        statuses = []
        for _ in range(int(given.get("times", 1))):
            for event in events:
                _, status = await self.sender.attempt(event, act, 1)
                statuses.append(status)
        return json_response(200, {"sent": len(statuses), "statuses": statuses})

    def _chosen(self, given):
        unknown = set(given) - {"call_id", "assignment_id", "types", "times", "order", "seed",
                                "sign", "corrupt", "provider", "events"}
        if unknown:
            raise Invalid(f"{sorted(unknown)[0]} is not known")
        types, call_id = given.get("types"), given.get("call_id")
        ours = given.get("assignment_id")
        events = [e for c in [*self.state.calls.values(), *self.state.subjects.values()] for e in c.events
                  if call_id in (None, c.id) and ours in (None, c.assignment)
                  and given.get("provider") in (None, c.provider)
                  and (types is None or {e.kind, e.kind.partition(":")[0]} & set(types))]
        if "events" in given:
            by_id = {e.message.get("id", e.message.get("event_id")): e for e in events}
            events = [by_id[ident] for ident in given["events"]]
        order = given.get("order", "original")
        if order == "reverse":
            events.reverse()
        elif order == "shuffle":
            random.Random(given.get("seed", 0)).shuffle(events)
        elif isinstance(order, list):
            events = [events[n] for n in order]
        elif order != "original":
            raise Invalid("order is original, reverse, shuffle or a list of positions")
        return events, {k: given[k] for k in ("sign", "corrupt") if k in given}

    async def idle(self, request):
        """Answer when no call lives and no webhook is under way; 408 when that takes too long."""
        try:
            end = time.monotonic() + float(request.query.get("timeout", "30"))
        except ValueError as e:
            return _invalid(e)
        while self.state.unfinished or self.sender.pending:
            if time.monotonic() >= end:
                break
            await asyncio.sleep(0.01)
        idle = not self.state.unfinished and not self.sender.pending
        return json_response(200 if idle else 408, {
            "idle": idle, "unfinished": self.state.unfinished,
            "webhooks_pending": self.sender.pending})


async def _body(request):
    raw = await request.read()
    try:
        return json.loads(raw) if raw else None
    except ValueError as e:
        raise web.HTTPBadRequest(text=f"not JSON: {e}") from e


def _invalid(error):
    return json_response(400, {"error": str(error)})


def _narrow(items, query):
    return [i for i in items if all(str(i.get(k)) == v for k, v in query.items())]
