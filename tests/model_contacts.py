"""What one tenant knows of its contacts: the model of /api/v1/contacts, the do-not-call list and imports."""

import uuid

from model_tenants import alike

ROOT = "/api/v1/contacts"


class Contacts:
    """The contacts of a side by their ids, the numbers that must not be called, and how many files came."""

    operations = {"create": 5, "again": 1, "get": 3, "list": 3, "find": 2, "change": 3, "remove": 1, "listen": 1, "forbid": 2, "allow": 1,
                  "forbidden": 2, "order": 1, "take_file": 1, "files": 1, "export": 1, "foreign": 5}

    def __init__(self, side):
        self.side, self.random, self.stack = side, side.random, side.stack
        self.made, self.listed, self.imports = {}, {}, {}

    @property
    def other(self):
        """The other tenant's."""
        return self.side.other.nouns[type(self)]

    def ask(self, method, path, body=None, **more):
        """A request about contacts."""
        return self.side.ask(method, ROOT + path, body, **more)

    def some(self, things):
        """One of them; an id that nothing has, without any."""
        return self.random.choice(list(things)) if things else str(uuid.uuid4())

    def seen(self, one):
        """What is answered of a contact."""
        return {**one, "do_not_call": one["phone_number"] in self.listed}

    def create(self):
        fields = {"phone_number": self.side.number(), "name": f"{self.side.word} {self.random.randrange(1000)}",
                  "tags": self.random.sample(["a", "b", "c"], self.random.randrange(3)), "custom_fields": {"word": self.side.word}}
        answer = self.ask("POST", "", fields, key=self.side.pick_key())
        if answer is None:
            return
        assert answer.status_code == 201, answer.text
        found = answer.json()
        alike(found, self.seen(fields), "a new contact")
        self.side.is_own(found["id"])
        self.made[found["id"]] = fields

    def again(self):
        """A number that a contact has."""
        if not self.made:
            return
        ident = self.some(self.made)
        answer = self.ask("POST", "", {"phone_number": self.made[ident]["phone_number"]})
        self.side.refused(answer, 409, "contact_exists")
        assert ident in answer.json()["detail"]

    def get(self):
        ident = self.some(self.made)
        answer = self.ask("GET", f"/{ident}")
        if ident not in self.made:
            return self.side.refused(answer, 404, "contact_not_found")
        return alike(answer.json(), self.seen(self.made[ident]), "a contact")

    def list(self):
        """All, newest first, by pages of any size."""
        found, after = [], None
        while len(found) < 100:
            page = self.ask("GET", "", limit=self.random.randrange(1, 101), after=after).json()
            found += page["data"]
            after = page["next_cursor"]
            if not after:
                break
        wanted = list(reversed(self.made))
        assert [c["id"] for c in found] == (wanted[:len(found)] if after else wanted)
        for one in found:
            alike(one, self.seen(self.made[one["id"]]), "a contact in a list")

    def find(self):
        """By the beginning of a name, a tag, or whether they may be called."""
        tag, listed = self.random.choice([None, "a"]), self.random.choice([None, True, False])
        found = self.ask("GET", "", q=self.side.word[:8], tag=tag, do_not_call=None if listed is None else str(listed).lower(), limit=100).json()
        wanted = [k for k, c in reversed(self.made.items()) if (tag is None or tag in c["tags"])
                  and (listed is None or listed == (c["phone_number"] in self.listed)) and c["name"]]
        assert [c["id"] for c in found["data"]] == wanted[:100]

    def change(self):
        ident, changes = self.some(self.made), {"name": f"{self.side.word} {self.random.randrange(1000)}", "tags": ["c"]}
        answer = self.ask("PATCH", f"/{ident}", changes)
        if ident not in self.made:
            return self.side.refused(answer, 404, "contact_not_found")
        self.made[ident] = {**self.made[ident], **changes}
        return alike(answer.json(), self.seen(self.made[ident]), "a changed contact")

    def remove(self):
        ident = self.some(self.made)
        answer = self.ask("DELETE", f"/{ident}")
        if self.made.pop(ident, None) is None:
            return self.side.refused(answer, 404, "contact_not_found")
        assert answer.status_code == 204, answer.text
        return None

    def listen(self):
        """Nobody has called it."""
        ident = self.some(self.made)
        if ident in self.made:
            assert self.ask("GET", f"/{ident}/calls").json() == {"data": [], "next_cursor": None}

    # ---- who is not called ---------------------------------------------------------

    def forbid(self):
        number = self.made[self.some(self.made)]["phone_number"] if self.made else self.side.number()
        answer = self.ask("POST", "/do-not-call", {"phone_number": number, "reason": self.side.word})
        assert answer.status_code == 201, answer.text
        alike(answer.json(), {"phone_number": number, "reason": self.side.word}, "a number that is not called")
        self.listed[number] = self.side.word

    def allow(self):
        number = self.some(self.listed) if self.listed else self.side.number()
        answer = self.ask("DELETE", f"/do-not-call/{number}")
        if self.listed.pop(number, None) is None:
            return self.side.refused(answer, 404, "number_not_listed")
        assert answer.status_code == 204, answer.text
        return None

    def forbidden(self):
        found = self.ask("GET", "/do-not-call", limit=100).json()
        assert {n["phone_number"] for n in found["data"]} == set(self.listed) or found["next_cursor"]
        assert {n["phone_number"] for n in found["data"]} <= set(self.listed)

    def order(self):
        """No call to such a number is taken."""
        if self.listed:
            answer = self.side.ask("POST", "/api/v1/calls", {"recipient_number": self.some(self.listed), "template_id": str(uuid.uuid4())})
            self.side.refused(answer, 422, "number_do_not_call")

    # ---- files ---------------------------------------------------------------------

    def take_file(self):
        """A file of two, one of whom is there already."""
        made = self.ask("POST", "/imports", {"name": self.side.word}).json()
        self.side.is_own(made["id"])
        number, known = self.side.number(), self.some(self.made)
        second = self.made[known]["phone_number"] if self.made else number
        who = self.random.choice(self.side.writers)
        answer = who.ask("PUT", f"{ROOT}/imports/{made['id']}/file", f"phone_number,name\n{number},{self.side.word}\n{second},x\n".encode(),
                         headers={"Content-Type": "text/csv"})
        self.side.unseen(answer)
        assert answer.status_code == 200, answer.text
        alike(answer.json(), {"status": "done", "rows_read": 2, "rows_created": 1, "rows_skipped": 1}, "an import")
        self.imports[made["id"]] = answer.json()
        found = self.ask("GET", "", limit=1).json()["data"][0]
        alike(found, {"phone_number": number, "name": self.side.word, "source": "import"}, "a contact from a file")
        self.side.is_own(found["id"])
        self.made[found["id"]] = {"phone_number": number, "name": self.side.word, "tags": [], "custom_fields": {}}

    def files(self):
        found = self.ask("GET", "/imports", limit=100).json()["data"]
        assert [i["id"] for i in found] == list(reversed(self.imports))[:100]
        if self.imports:
            ident = self.some(self.imports)
            assert self.ask("GET", f"/imports/{ident}").json() == self.imports[ident]
            assert self.ask("GET", f"/imports/{ident}/errors").json() == {"data": [], "next_cursor": None}

    def export(self):
        lines = self.ask("GET", "/export").text.split("\r\n")
        assert [line.split(",")[0] for line in lines[1:-1]] == [c["phone_number"] for c in reversed(self.made.values())]

    # ---- what is the other's -----------------------------------------------------------

    def foreign(self):
        """What belongs to the other is not there."""
        contact, imported = self.some(self.other.made), self.some(self.other.imports)
        method, path, body, code = self.random.choice([
            ("GET", f"/{contact}", None, "contact_not_found"), ("PATCH", f"/{contact}", {"name": "x"}, "contact_not_found"),
            ("DELETE", f"/{contact}", None, "contact_not_found"), ("GET", f"/{contact}/calls", None, "contact_not_found"),
            ("GET", f"/imports/{imported}", None, "import_not_found"), ("DELETE", f"/imports/{imported}", None, "import_not_found"),
            ("PUT", f"/imports/{imported}/file", {}, "import_not_found"), ("GET", f"/imports/{imported}/errors", None, "import_not_found")])
        self.side.refused(self.ask(method, path, body), 404, code)
