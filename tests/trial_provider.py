"""A stand-in for providers of the engine's tests: one side takes idempotency keys, the other does not but can be asked.

It counts effects for each (run, step), and misbehaves as it is told.
"""

import asyncio
import collections
import json
import random
import threading

# What it may do instead of answering as it should.
FAULTS = ("lost_before", "lost_after", "stored_500", "after_500", "429")


class Provider:
    """Runs in a thread of its own; use it as a context manager."""

    def __init__(self):
        self.effects = collections.Counter()
        self.requests = collections.Counter()
        self.looks = collections.Counter()
        self.keys = {}
        self.secrets = set()
        self.rules = []
        self.random, self.trouble = random.Random(1), 0.0
        self.doubles, self.unlooked = [], []
        self.unsure = set()
        self.holds, self.held = {}, collections.Counter()
        self.loop = self.server = self.thread = None

    # ---- what tests say ------------------------------------------------------

    def rule(self, fault, step=None, times=1, method="POST", delay=0, run=None):
        """The next so many requests of that step meet this fault (None: only the delay)."""
        self.rules.append({"fault": fault, "step": step, "times": times, "method": method, "delay": delay,
                           "run": run})

    def hold(self, *what):
        """Requests such as ("POST", "charge") wait from now on, before anything else is done; held counts them."""
        self.held.clear()
        self.holds = {each: threading.Event() for each in what}

    def release(self):
        """Those that wait are answered, later ones do not wait."""
        for gate in self.holds.values():
            gate.set()
        self.holds = {}

    def abandon(self):
        """Those that wait are never answered nor done, later ones do not wait."""
        self.holds = {}

    @property
    def url(self):
        """Where it is."""
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    def __enter__(self):
        ready = threading.Event()
        self.thread = threading.Thread(target=self._main, args=(ready,), daemon=True)
        self.thread.start()
        assert ready.wait(30)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(30)

    def _main(self, ready):
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1000))
        ready.set()
        self.loop.run_forever()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.server.close()
        self.loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(self.loop), return_exceptions=True))
        self.loop.close()

    # ---- HTTP -------------------------------------------------------------------

    async def _serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, path, _ = head.split(" ", 2)
                headers = {n.lower(): v.strip() for n, _, v in (x.partition(":") for x in head.split("\r\n")[1:])}
                await reader.readexactly(int(headers.get("content-length") or 0))
                answer = await self._answer(method, path, headers)
                if answer is None:
                    break
                status, body = answer
                data = json.dumps(body).encode()
                more = "Retry-After: 0\r\n" if status == 429 else ""
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{more}"
                             f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    async def _answer(self, method, path, headers):
        """Status and body; None: the connection is cut."""
        _, kind, step = path.split("/")
        run, key = headers.get("x-run", ""), headers.get("idempotency-key")
        fault = await self._fault(method, step, run)
        if headers.get("x-secret"):
            self.secrets.add(headers["x-secret"])
        if method == "GET":
            self.looks[run, step] += 1
            self.unsure.discard((run, step))
            if fault:
                return (500, {}) if "500" in fault else None
            return (200, {"id": f"{step}-{run}"}) if self.effects[run, step] else (404, {})
        self.requests[run, step] += 1
        if kind == "keyed":
            return self._keyed(run, step, key, fault)
        return self._plain(run, step, fault)

    async def _fault(self, method, step, run):
        gate = self.holds.get((method, step))
        if gate:
            self.held[method, step] += 1
            while not gate.is_set():
                await asyncio.sleep(0.01)
        for rule in self.rules:
            if rule["times"] > 0 and rule["method"] == method and rule["step"] in (None, step) \
                    and rule["run"] in (None, run):
                rule["times"] -= 1
                await asyncio.sleep(rule["delay"])
                return rule["fault"]
        return self.random.choice(FAULTS) if self.random.random() < self.trouble else None

    def _effect(self, run, step):
        self.effects[run, step] += 1
        if self.effects[run, step] > 1:
            self.doubles.append((run, step))

    def _keyed(self, run, step, key, fault):
        """A key that was seen gets the first answer again, be it a failure."""
        assert key and key.isascii() and len(key) <= 255
        if fault == "429":
            return 429, {}
        if key in self.keys:
            return None if fault and fault.startswith("lost") else self.keys[key]
        if fault == "lost_before":
            return None
        if fault == "stored_500":
            self.keys[key] = (500, {"error": "stored"})
            return self.keys[key]
        if fault == "refuse":
            self.keys[key] = (422, {"error": "refused"})
            return self.keys[key]
        self._effect(run, step)
        self.keys[key] = (500, {"error": "after"}) if fault == "after_500" else (
            200, {"id": f"{step}-{run}", "secret": "not-to-be-stored"})
        return None if fault == "lost_after" else self.keys[key]

    def _plain(self, run, step, fault):
        """Whoever sends again without having looked after an unsure answer is noted."""
        if (run, step) in self.unsure:
            self.unlooked.append((run, step))
        if fault in ("429", "refuse"):
            return (429, {}) if fault == "429" else (422, {})
        # Until somebody has looked, or got the answer, nobody can know.
        self.unsure.add((run, step))
        if fault == "lost_before":
            return None
        if fault == "stored_500":
            return (500, {})
        self._effect(run, step)
        if fault == "lost_after":
            return None
        if fault == "after_500":
            return (500, {})
        return 200, {"id": f"{step}-{run}", "secret": "not-to-be-stored"}
