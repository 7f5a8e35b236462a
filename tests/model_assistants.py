"""What one tenant knows of its assistants: the model of /api/v1/assistants."""

import uuid

from model_phone_numbers import PhoneNumbers
from model_tenants import alike

ROOT = "/api/v1/assistants"
MOST = 60


class Assistants:
    """The assistants that the writers of a side make, in the order in which they were made; none of them gets to Vapi: nobody works."""

    operations = {"create": 4, "from_template": 2, "get": 4, "list": 4, "change": 3, "clear": 1, "sync": 1, "remove": 1, "wrong": 2, "try_it": 1, "foreign": 6}

    def __init__(self, side):
        self.side, self.random, self.made = side, side.random, {}

    @property
    def other(self):
        """The other tenant's."""
        return self.side.other.nouns[type(self)]

    @property
    def own(self):
        """A number that somebody of this side has proved to be his."""
        return self.side.nouns[PhoneNumbers].own[0][0]

    def some(self, things):
        """One of them; an id that nothing has, without any."""
        return self.random.choice(list(things)) if things else str(uuid.uuid4())

    def ask(self, method, path="", body=None, **more):
        """By somebody who may write."""
        return self.side.ask(method, ROOT + path, body, by=self.side.writers, **more)

    def kept(self, answer, wish):
        """What was made is as the wish says; it is the model's from now on."""
        if answer is None:
            return
        assert answer.status_code == 201, answer.text
        found = answer.json()
        alike(found, {"organization_id": self.side.organization, "status": "pending", "by_hand": False, "vapi_assistant_id": None, "last_error": None,
                      **wish}, "a new assistant")
        self.side.is_own(found["id"])
        self.made[found["id"]] = found

    def create(self):
        wish = {"name": f"{self.side.word} {self.random.randrange(9)}", "system_prompt": f"You speak for {self.side.word}.",
                "max_duration_seconds": self.random.randrange(10, 43201), "end_call_phrases": ["bye now"]}
        if len(self.made) < MOST:
            self.kept(self.ask("POST", body=wish, key=self.side.pick_key()), wish)

    def from_template(self):
        values = {"business_name": self.side.word, "business_description": "A business.", "opening_hours": "always"}
        if len(self.made) < MOST:
            answer = self.ask("POST", body={"template": "receptionist", "variable_values": values})
            self.kept(answer, {"name": "Receptionist"})
            assert self.side.word in answer.json()["system_prompt"] and answer.json()["variable_values"]["business_name"] == self.side.word

    def get(self):
        ident = self.some(self.made)
        answer = self.side.ask("GET", f"{ROOT}/{ident}")
        if ident not in self.made:
            return self.side.refused(answer, 404, "assistant_not_found")
        return alike(answer.json(), self.made[ident], "an assistant")

    def list(self):
        """All, newest first, by pages of any size."""
        found, after = [], None
        while not found or after:
            page = self.side.ask("GET", ROOT, limit=self.random.randrange(1, 101), after=after, status=self.random.choice(("pending", None))).json()
            found += page["data"]
            after = page["next_cursor"]
            if not page["data"]:
                break
        assert [a["id"] for a in found] == list(reversed(self.made))
        for one in found:
            alike(one, self.made[one["id"]], "an assistant in a list")

    def altered(self, ident, answer, changes):
        """It is as it was but for the changes."""
        if ident not in self.made:
            return self.side.refused(answer, 404, "assistant_not_found")
        assert answer.status_code in (200, 202), answer.text
        self.made[ident] = {**self.made[ident], **changes, "updated_at": answer.json()["updated_at"]}
        return alike(answer.json(), self.made[ident], "a changed assistant")

    def change(self):
        ident, changes = self.some(self.made), {"name": f"{self.side.word} {self.random.randrange(99)}", "first_message": f"This is {self.side.word}."}
        self.altered(ident, self.ask("PATCH", f"/{ident}", changes), changes)

    def clear(self):
        ident = self.some(self.made)
        answer = self.ask("PATCH", f"/{ident}", {"first_message": None, "max_duration_seconds": None, "end_call_phrases": None})
        self.altered(ident, answer, {"first_message": None, "max_duration_seconds": 600, "end_call_phrases": []})

    def sync(self):
        ident = self.some(self.made)
        self.altered(ident, self.ask("POST", f"/{ident}/sync"), {})

    def remove(self):
        ident = self.some(self.made)
        answer = self.ask("DELETE", f"/{ident}")
        if ident not in self.made:
            return self.side.refused(answer, 404, "assistant_not_found")
        assert answer.status_code == 204, answer.text
        del self.made[ident]
        return self.side.refused(self.side.ask("GET", f"{ROOT}/{ident}"), 404, "assistant_not_found")

    def wrong(self):
        """What no assistant may be."""
        wish, status, code = self.random.choice([
            ({"name": "x" * 41}, 400, "bad_fields"), ({"name": "x", "background_sound": "beach"}, 422, "assistant_invalid"), ({}, 422, "assistant_invalid"),
            ({"template": "nothing"}, 404, "assistant_template_not_found"), ({"template": "receptionist"}, 422, "variable_missing"),
            ({"name": "x", "voice_provider": "vapi", "voice_id": self.side.word}, 422, "voice_not_found")])
        self.side.refused(self.ask("POST", body=wish), status, code)

    def try_it(self):
        """One that Vapi does not have calls nobody; nor is anybody called whose number the other has proved."""
        ident, other = self.some(self.made), self.random.random() < 0.5
        answer = self.side.ask("POST", f"{ROOT}/{ident}/test", {"verified_number_id": self.other.own if other else self.own}, by=self.side.owners)
        self.side.refused(answer, *((404, "assistant_not_found") if ident not in self.made else (404, "verified_number_not_found") if other
                                    else (409, "assistant_not_ready")))

    def foreign(self):
        """An assistant of the other is none."""
        ident = self.some(self.other.made)
        method, path, body = self.random.choice([("GET", "", None), ("PATCH", "", {"name": "mine"}), ("DELETE", "?force=true", None), ("POST", "/sync", None),
                                                   ("POST", "/test", {"verified_number_id": self.own})])
        answer = self.side.ask(method, f"{ROOT}/{ident}{path}", body, by=self.side.owners if path == "/test" else self.side.writers)
        self.side.refused(answer, 404, "assistant_not_found")
