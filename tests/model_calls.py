"""What one tenant knows of its calls: the model of /api/v1/calls, where no pump runs.

Calls wait, are moved, canceled, or completed by a hand that stands for the provider; every answer is told beforehand.
"""

import csv
import io
import json
import uuid

from model_tenants import alike

PATH = "/api/v1/calls"
OVER = ("completed", "canceled")
# What changes by itself in a call that nobody touches: nothing but these.
FLEETING = ("admission",)


class Calls:
    """The calls of a side, in the order in which they were made."""

    # What may be asked, and how often compared with the others.
    operations = {"create": 8, "create_many": 1, "create_wrong": 2, "get": 10, "list": 8, "pages": 1, "stats": 2, "queue": 2, "cancel": 4,
                  "reschedule": 3, "retry": 3, "transcript": 3, "actions": 2, "recording": 1, "complete": 2, "foreign": 10,
                  "foreign_list": 2, "disguised": 3, "search": 3, "analytics": 2, "export": 2, "judge": 3, "judgements": 2, "withdraw": 1}

    def __init__(self, side):
        self.side, self.random, self.stack = side, side.random, side.stack
        self.calls, self.transcripts, self.judged, self.cursor = {}, {}, {}, None
        side.total = lambda: len(self.calls)
        self.template = self.stack.template(organization_id=side.organization, name=side.word)
        self.caller = self.stack.insert("phone_numbers", organization_id=side.organization, phone_number=side.number())
        side.is_own(self.template, self.caller)

    @property
    def other(self):
        """The other tenant's."""
        return self.side.other.nouns[type(self)]

    def any_call(self, wanted=lambda call: True):
        """Some call of one's own, None without one."""
        fitting = [ident for ident, call in self.calls.items() if wanted(call)]
        return self.random.choice(fitting) if fitting else None

    # ---- ordering ----------------------------------------------------------------

    def wish(self):
        """What a call is ordered with."""
        pick = self.random
        body = {"recipient_number": self.side.number(), "template_id": self.template,
                "scheduled_time": pick.choice(["2098-05-01T12:00:00Z", "2099-01-01T00:00:00Z", "2099-01-01T02:00:00+02:00"])}
        if pick.random() < 0.5:
            body["recipient_name"] = self.side.word
        if pick.random() < 0.3:
            body["metadata"] = {"note": self.side.word, "n": pick.randrange(9)}
        if pick.random() < 0.3:
            body["caller_number_id"] = self.caller
        if pick.random() < 0.3:
            body["priority"] = pick.randrange(10)
        return body

    def kept(self, body, call):
        """The call that was made out of a wish is as the wish says; it is the model's from now on."""
        expected = {"status": "queued", "organization_id": self.side.organization, "direction": "outbound", "attempts": 0, "retry_of": None,
                    "recipient_name": None, "metadata": {}, "caller_number_id": None, "priority": 5, **body}
        expected["scheduled_time"] = {"2098-05-01T12:00:00Z": "2098-05-01T12:00:00.000Z"}.get(
            body["scheduled_time"], "2099-01-01T00:00:00.000Z")
        alike(call, expected, "a new call")
        assert call["id"] not in self.calls
        self.side.is_own(call["id"])
        self.calls[call["id"]] = call

    def create(self):
        body = self.wish()
        answer = self.side.ask("POST", PATH, body, key=self.side.pick_key())
        if answer is not None:
            assert answer.status_code == 201, answer.text
            self.kept(body, answer.json())

    def create_many(self):
        bodies = [self.wish() for _ in range(self.random.randrange(1, 5))]
        answer = self.side.ask("POST", PATH + "/batch", {"calls": bodies}, key=self.side.pick_key())
        if answer is not None:
            assert answer.status_code == 201, answer.text
            for body, call in zip(bodies, answer.json()["data"], strict=True):
                self.kept(body, call)

    def create_wrong(self):
        """With a thing of the other's, or of nobody's."""
        field, theirs, code = self.random.choice([("template_id", self.other.template, "template_not_found"),
                                                  ("caller_number_id", self.other.caller, "caller_number_not_found")])
        body = {**self.wish(), field: self.random.choice([theirs, str(uuid.uuid4())])}
        if self.random.random() < 0.5:
            return self.side.refused(self.side.ask("POST", PATH, body), 422, code)
        bodies = [self.wish(), body]
        if self.random.random() < 0.5:
            return self.side.refused(self.side.ask("POST", PATH + "/batch", {"calls": bodies}), 422, code)
        found = self.side.ask("POST", PATH + "/batch", {"calls": bodies, "on_error": "continue"}).json()
        assert (found["taken"], found["refused"], found["results"][1]["errors"][0]["code"]) == (1, 1, code), found
        return self.kept(bodies[0], found["data"][0])

    # ---- reading -------------------------------------------------------------------

    def get(self):
        ident = self.any_call()
        if ident:
            answer = self.side.ask("GET", f"{PATH}/{ident}")
            assert answer.status_code == 200, answer.text
            alike(answer.json(), {k: v for k, v in self.calls[ident].items() if k not in FLEETING}, f"call {ident}")
            assert answer.json()["retries"] == []

    def listed(self, **wanted):
        """The ids that a list with these filters must hold, the newest first."""
        return [ident for ident, call in reversed(self.calls.items()) if all(call[k] == v for k, v in wanted.items())]

    def filters(self):
        """Some filters of a list."""
        choice = [{}, {"status": self.random.choice(["queued", "canceled", "completed", "failed"])}, {"template_id": self.template},
                  {"direction": self.random.choice(["outbound", "inbound"])}]
        ident = self.any_call()
        if ident:
            choice.append({"recipient_number": self.calls[ident]["recipient_number"]})
        return self.random.choice(choice)

    def page(self, after=None, limit=20, **wanted):
        """One page; answers it."""
        answer = self.side.ask("GET", PATH, after=after, limit=limit, **wanted)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def list(self):
        wanted, limit = self.filters(), self.random.choice([1, 3, 20, 100])
        page, ids = self.page(limit=limit, **wanted), self.listed(**wanted)
        assert [c["id"] for c in page["data"]] == ids[:limit], f"a list with {wanted} and limit {limit}"
        assert (page["next_cursor"] is not None) == (len(ids) > limit)
        for call in page["data"]:
            alike(call, {k: self.calls[call["id"]][k] for k in ("status", "recipient_number", "metadata", "scheduled_time")}, "a call in a list")

    def pages(self):
        """A whole list, page by page; with the other's cursor one gets one's own."""
        wanted, found, page = self.filters(), [], {"next_cursor": None}
        while page["next_cursor"] is not None or not found:
            page = self.page(after=page["next_cursor"], limit=100, **wanted)
            found += [c["id"] for c in page["data"]]
            if not page["next_cursor"]:
                break
        assert found == self.listed(**wanted), f"all pages of a list with {wanted}"
        theirs = self.other.cursor
        if theirs:
            assert {c["id"] for c in self.page(after=theirs)["data"]} <= set(self.calls)
        self.cursor = self.page(limit=1)["next_cursor"]

    def counts(self):
        """How many are in which state."""
        states = [call["status"] for call in self.calls.values()]
        return {state: states.count(state) for state in ("queued", "completed", "canceled", "failed", "expired")}

    def stats(self):
        answer = self.side.ask("GET", PATH + "/stats")
        alike(answer.json(), {"total": len(self.calls), "in_progress": 0, **self.counts()}, "the numbers")

    def queue(self):
        answer, waiting = self.side.ask("GET", PATH + "/queue"), self.counts()["queued"]
        alike(answer.json(), {"queued": waiting, "due": 0, "scheduled": waiting, "in_progress": 0, "oldest_due_at": None}, "the queue")

    # ---- what hangs on a call --------------------------------------------------------

    def complete(self):
        """The hand of the provider: a waiting call is over, with all that it leaves behind."""
        ident = self.any_call(lambda call: call["status"] == "queued")
        if not ident:
            return
        text = f"{self.side.word} said {self.random.randrange(1000)}"
        with self.stack.connect() as db:
            db.execute("set local session_replication_role = replica")
            db.execute("update call_queue set status = 'completed', ready = false where id = %s", (ident,))
            row = db.execute("""update calls set status = 'completed', ended_reason = 'completed', finished_at = now(), ended_at = now()
                                 where id = %s returning created_at, organization_id""", (ident,)).fetchone()
            values = (ident, *row, text)
            db.execute("insert into call_transcripts (call_id, call_created_at, organization_id, transcript_text) values (%s, %s, %s, %s)", values)
            db.execute("insert into call_actions (call_id, call_created_at, organization_id, action_type) values (%s, %s, %s, %s)", values)
        self.stack.value("select public.transcripts_read(100)")
        self.transcripts[ident] = text
        answer = self.side.ask("GET", f"{PATH}/{ident}").json()
        alike(answer, {**self.calls[ident], "status": "completed", "ended_reason": "completed", "ended_at": answer["ended_at"],
                       "updated_at": answer["updated_at"]}, "a call that is over")
        answer.pop("retries")
        self.calls[ident] = answer

    def transcript(self):
        ident = self.any_call(lambda call: call["id"] in self.transcripts or self.random.random() < 0.1)
        if ident:
            answer = self.side.ask("GET", f"{PATH}/{ident}/transcript")
            if ident not in self.transcripts:
                return self.side.refused(answer, 404, "transcript_not_found")
            alike(answer.json(), {"call_id": ident, "transcript": self.transcripts[ident]}, "a transcript")
        return None

    def actions(self):
        ident = self.any_call()
        if ident:
            found = [a["action_type"] for a in self.side.ask("GET", f"{PATH}/{ident}/actions").json()["data"]]
            assert found == ([self.transcripts[ident]] if ident in self.transcripts else []), found

    def recording(self):
        ident = self.any_call()
        if ident:
            self.side.refused(self.side.ask("GET", f"{PATH}/{ident}/recording"), 404, "recording_not_found")

    # ---- all of them at once -----------------------------------------------------------

    def found(self, q, **wanted):
        """The calls that a search finds, page by page."""
        hits, page = [], {"next_cursor": None}
        while page["next_cursor"] is not None or not hits:
            answer = self.side.ask("GET", PATH + "/search", q=q, limit=self.random.choice([3, 100]), after=page["next_cursor"], **wanted)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            hits += page["data"]
            if not page["next_cursor"]:
                break
        return [hit["call"]["id"] for hit in hits]

    def search(self):
        hits = self.found("said")
        assert len(hits) == len(set(hits)) and set(hits) == set(self.transcripts), f"said by {hits}"
        assert not self.found(f'"{self.other.side.word}"') and not self.found("said", template_id=self.other.template)
        assert not self.found(f"-{self.side.word} -nothing", status="failed")

    def analytics(self):
        group = self.random.choice(["day", "hour", "outcome", "status", "template", "direction"])
        answer, ratings = self.side.ask("GET", PATH + "/analytics", group_by=group).json(), [r for c in self.judged.values() for r in c.values()]
        alike(answer["total"], {"total": len(self.calls), "in_progress": 0, **self.counts(), "feedback_count": len(ratings),
                                "feedback_average": round(sum(ratings) / len(ratings) + 1e-9, 2) if ratings else None}, "the numbers")
        assert sum(g["total"] for g in answer["groups"]) == len(self.calls), answer
        if group == "template":
            assert {g["key"] for g in answer["groups"]} <= {self.template}

    def export(self):
        wanted, kind = self.filters(), self.random.choice(["csv", "ndjson"])
        answer = self.side.ask("GET", PATH + "/export", format=kind, transcripts="true", **wanted)
        assert answer.status_code == 200, answer.text
        text = answer.content.decode()
        lines = list(csv.DictReader(io.StringIO(text, newline=""))) if kind == "csv" else [json.loads(line) for line in text.split("\n") if line]
        assert [line["id"] for line in lines] == self.listed(**wanted), f"an export with {wanted}"
        for line in lines:
            said = line["transcript"] and (line["transcript"] if kind == "csv" else line["transcript"]["transcript"])
            assert (said or None) == self.transcripts.get(line["id"]), line

    # ---- what people think of them -----------------------------------------------------

    def judge(self):
        """Somebody gives his feedback, or gives it anew."""
        ident, who, rating = self.any_call(), self.random.choice(self.side.writers), self.random.randrange(1, 6)
        if not ident:
            return
        answer = self.side.ask("POST", f"{PATH}/{ident}/feedback", {"rating": rating, "comments": self.side.word}, by=[who])
        if self.calls[ident]["status"] not in OVER:
            return self.side.refused(answer, 409, "call_not_ended")
        alike(answer.json(), {"call_id": ident, "rating": rating, "comments": self.side.word}, "feedback")
        self.side.is_own(answer.json()["id"])
        self.judged.setdefault(ident, {})[id(who)] = rating
        return None

    def judgements(self):
        ident = self.any_call(lambda call: call["id"] in self.judged) or self.any_call()
        if ident:
            found = self.side.ask("GET", f"{PATH}/{ident}/feedback").json()["data"]
            assert sorted(f["rating"] for f in found) == sorted(self.judged.get(ident, {}).values()), found

    def withdraw(self):
        ident, who = self.any_call(lambda call: call["id"] in self.judged) or self.any_call(), self.random.choice(self.side.writers)
        if not ident:
            return
        answer = self.side.ask("DELETE", f"{PATH}/{ident}/feedback", by=[who])
        if self.judged.get(ident, {}).pop(id(who), None) is None:
            return self.side.refused(answer, 404, "feedback_not_found")
        assert answer.status_code == 204, answer.text
        return None

    # ---- changing --------------------------------------------------------------------

    def cancel(self):
        ident = self.any_call()
        if not ident:
            return
        answer, call = self.side.ask("POST", f"{PATH}/{ident}/cancel", {}), self.calls[ident]
        if call["status"] in OVER:
            return self.side.refused(answer, 409, "call_ended")
        found = answer.json()
        alike(found, {**call, "status": "canceled", "ended_reason": "canceled", "duration_seconds": 0, "ended_at": found["ended_at"],
                      "updated_at": found["updated_at"]}, "a canceled call")
        self.calls[ident] = found
        return None

    def reschedule(self):
        ident = self.any_call()
        if not ident:
            return
        answer, call = self.side.ask("POST", f"{PATH}/{ident}/reschedule", {"scheduled_time": "2097-01-01T00:00:00Z"}), self.calls[ident]
        if call["status"] in OVER:
            return self.side.refused(answer, 409, "call_not_queued")
        found, when = answer.json(), "2097-01-01T00:00:00.000Z"
        alike(found, {**call, "scheduled_time": when, "due_at": when, "expires_at": found["expires_at"], "updated_at": found["updated_at"]},
              "a call that was moved")
        self.calls[ident] = found
        return None

    def retry(self):
        ident = self.any_call()
        if not ident:
            return
        call = self.calls[ident]
        answer = self.side.ask("POST", f"{PATH}/{ident}/retry", {"scheduled_time": "2099-01-01T00:00:00Z"}, key=self.side.pick_key())
        if answer is None:
            return
        if call["status"] not in OVER:
            return self.side.refused(answer, 409, "call_not_ended")
        same = ("recipient_number", "recipient_name", "template_id", "metadata", "caller_number_id", "priority")
        alike(answer.json(), {"retry_of": ident, "status": "queued", **{k: call[k] for k in same}}, "a repeated call")
        self.side.is_own(answer.json()["id"])
        self.calls[answer.json()["id"]] = answer.json()
        return None

    # ---- what is the other's -------------------------------------------------------------

    def foreign(self):
        """A call of the other's does not exist."""
        ident = self.other.any_call() or str(uuid.uuid4())
        method, more, body = self.random.choice([
            ("GET", "", None), ("GET", "/transcript", None), ("GET", "/actions", None), ("GET", "/recording", None), ("POST", "/cancel", {}),
            ("POST", "/retry", {}), ("POST", "/reschedule", {"scheduled_time": "2097-01-01T00:00:00Z"}), ("GET", "/feedback", None),
            ("POST", "/feedback", {"rating": 1}), ("PATCH", "/feedback", {"rating": 1}), ("DELETE", "/feedback", None)])
        self.side.refused(self.side.ask(method, f"{PATH}/{ident}{more}", body), 404, "call_not_found")

    def foreign_list(self):
        """A list by things of the other's is empty."""
        ident = self.other.any_call()
        wanted = [{"template_id": self.other.template}]
        if ident:
            wanted.append({"recipient_number": self.other.calls[ident]["recipient_number"]})
        assert self.page(**self.random.choice(wanted)) == {"data": [], "next_cursor": None}

    def disguised(self):
        """Naming the other organization opens nothing, whatever is asked."""
        who = self.random.choice(self.side.strangers).with_headers(X_Organization_Id=self.side.other.organization)
        method, path, body = self.random.choice([("GET", PATH, None), ("POST", PATH, self.wish()), ("GET", PATH + "/stats", None),
                                                  ("GET", PATH + "/analytics", None), ("GET", PATH + "/search?q=said", None),
                                                  ("GET", PATH + "/export", None)])
        answer = who.ask(method, path, body)
        self.side.unseen(answer)
        assert (answer.status_code, answer.json()["code"]) in ((404, "organization_not_found"), (403, "organization_mismatch")), answer.text
