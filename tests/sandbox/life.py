"""The life of an accepted call: from queued to ended, by timers of the event loop."""
import asyncio
import time

import outcomes
from state import Call


class Life:
    """Moves calls on. The provider of a call is told after each step."""

    def __init__(self, state):
        self.state = state
        self.loop = asyncio.get_running_loop()
        self.providers = {}

    def accept(self, provider, number, assignment, given):
        """Take a call on. given: (request body, action, gate's verdict, earliest start)."""
        body, act, verdict, start_at = given
        call = self._new(Call(provider, number, assignment, body), act)
        call.blocked = verdict in ("blocked", "blocked-ended")
        if verdict in ("ended", "blocked-ended"):
            call.outcome = outcomes.OUTCOMES["limit"]
        call.dialled = "ringing" in call.outcome.statuses
        self.state.counters.accepted(call)
        self._begin(call, verdict, start_at)
        return call

    def _new(self, call, act):
        settings = self.state.settings
        call.act = act
        call.outcome = outcomes.choose(act)
        call.durations = {**settings["durations"], **act.get("durations", {})}
        call.listed_at = call.created + act.get("list_lag", settings["list_lag"])
        call.readable_at = call.created + act.get("get_lag", settings["get_lag"])
        self.state.calls[call.id] = call
        self.state.unfinished += 1
        return call

    def ring(self, provider, number, body, act):
        """A call comes in and holds a line; it waits for answer or turn_away.  It is no dial."""
        call = self._new(Call(provider, number, "inbound", body), act)
        call.status, call.dialled = "ringing", True
        self._up(call)
        return call

    def answer(self, call):
        """Somebody takes a call that came in."""
        if not call.ended:
            call.outcome = call.outcome._replace(statuses=tuple(s for s in call.outcome.statuses if s != "queued"))
            self._go(call)

    def turn_away(self, call, outcome):
        """Nobody does."""
        if not call.ended:
            call.outcome = outcome
            self._finish(call)

    def _up(self, call):
        call.live = True
        self.state.counters.up(call.provider)

    def _begin(self, call, verdict, start_at):
        if verdict == "blocked-ended":
            call.status, call.ended = "ended", time.time()
            self._later(call, self.state.settings["first_event_delay"], self._tell_end)
        elif verdict == "blocked" and "concurrency" not in call.act:
            self.state.waiting[call.provider].append(call)
        elif start_at and start_at > time.time():
            call.status = "scheduled"
            self.providers[call.provider].announce(call)
            self._later(call, start_at - time.time(), self._go)
        else:
            self._go(call)

    def _later(self, call, seconds, step):
        call.timer = self.loop.call_later(max(0.0, seconds), step, call)

    def _go(self, call):
        """The call holds a line from here on, if a telephone is going to ring."""
        call.status = call.outcome.statuses[0]
        if call.dialled and not call.live:
            self._up(call)
        first = self.state.settings["first_event_delay"]
        if call.status == "ended":
            self._finish(call)
        else:
            self._later(call, first, self._tell_first)

    def _tell_first(self, call):
        first = self.state.settings["first_event_delay"]
        self.providers[call.provider].announce(call)
        self._later(call, call.durations["queued"] - first, self._step)

    def _step(self, call):
        call.place += 1
        call.status = call.outcome.statuses[call.place]
        call.updated = time.time()
        if call.status == "ended":
            self._finish(call)
            return
        if call.status == "in-progress":
            call.started = call.updated
        self.providers[call.provider].announce(call)
        last = call.outcome.statuses[call.place + 1] == "ended"
        if last and call.act.get("stuck"):
            call.timer = None
            return
        self._later(call, call.durations[call.status.replace("-", "_")], self._step)

    def hang_up(self, call, outcome="canceled"):
        """End a call from outside, wherever it is in its life."""
        if call.ended:
            return
        if call.timer:
            call.timer.cancel()
        if call in self.state.waiting[call.provider]:
            self.state.waiting[call.provider].remove(call)
        call.outcome = outcomes.OUTCOMES[outcome]
        self._finish(call)

    def _finish(self, call):
        call.status = "ended"
        call.ended = call.updated = time.time()
        seconds = call.act.get("talk_seconds", self.state.settings["talk_seconds"])
        if call.started and seconds is not None:
            call.started = call.ended - seconds
        if call.live:
            call.live = False
            self.state.counters.live[call.provider] -= 1
        self._tell_end(call)
        self._let_in(call.provider)

    def _tell_end(self, call):
        self.providers[call.provider].announce(call)
        self._later(call, call.durations["report"], self._report)

    def _report(self, call):
        call.timer = None
        call.finished = True
        self.state.unfinished -= 1
        self.providers[call.provider].report(call)

    def _let_in(self, provider):
        waiting, limit = self.state.waiting[provider], self.state.settings[provider + "_limit"]
        while waiting and (limit is None or self.state.counters.live[provider] < limit):
            self._go(waiting.popleft())

    def stop(self):
        """Cancel all timers: nothing moves any more."""
        for call in self.state.calls.values():
            if call.timer:
                call.timer.cancel()
                call.timer = None
