"""What one tenant knows of its phone numbers: those that it has, where they are put through to, and its people's own ones."""

import uuid

from model_tenants import alike

ROOT = "/api/v1/phone-numbers"


class PhoneNumbers:
    """Numbers as if a run had brought them, with a log; people's own numbers, proved; what is written comes back."""

    operations = {"get": 3, "list": 2, "log": 2, "usage": 1, "rename": 2, "forward": 2, "forward_to_others": 1, "clear": 1, "verified": 1, "confirm": 1,
                  "try_it": 1, "foreign": 4}

    def __init__(self, side):
        self.side, self.random, stack = side, side.random, side.stack
        self.numbers, self.own, self.pending = {}, [], []
        for n in range(3):
            number, own, waits = side.number(), side.number(), side.number()
            ident = stack.insert("phone_numbers", organization_id=side.organization, phone_number=number, name=f"{side.word} {n}")
            stack.insert("phone_provision_logs", organization_id=side.organization, phone_number_id=ident, trigger_action="buy", status="noted",
                         reason=side.word)
            self.numbers[ident] = {"id": ident, "phone_number": number, "name": f"{side.word} {n}", "forward_to": None, "forward_when": "down"}
            self.own.append((stack.insert("verified_numbers", organization_id=side.organization, phone_number=own, status="verified"), own))
            self.pending.append(stack.insert("verified_numbers", organization_id=side.organization, phone_number=waits, expires_at="2099-01-01",
                                             channel="call"))
        side.is_own(*self.numbers, *self.pending, *(ident for ident, _ in self.own))

    def ask(self, method, path, body=None, **more):
        """A request about numbers, by somebody who may."""
        return self.side.ask(method, ROOT + path, body, **{"by": self.side.owners if method != "GET" else None, **more})

    def some(self):
        """A number that is there."""
        return self.random.choice(list(self.numbers))

    def get(self):
        ident = self.some()
        alike(self.ask("GET", f"/{ident}").json(), self.numbers[ident], "a number")

    def list(self):
        """All, newest first, by pages of any size."""
        found, after = [], None
        while True:
            page = self.ask("GET", "", limit=self.random.randrange(1, 5), after=after).json()
            found += page["data"]
            after = page["next_cursor"]
            if not after:
                break
        assert [n["id"] for n in found if n["id"] in self.numbers] == list(reversed(self.numbers)), found

    def log(self):
        lines = self.ask("GET", f"/{self.some()}/log").json()["data"]
        assert {"buy"} <= {line["action"] for line in lines} and self.side.word in [line["reason"] for line in lines], lines

    def usage(self):
        used = self.ask("GET", f"/{self.some()}/usage").json()
        assert (used["calls_in"], used["calls_out"], used["messages_in"]) == (0, 0, 0), used

    def change(self, ident, **changes):
        """A change that is made."""
        answer = self.ask("PATCH", f"/{ident}", changes)
        assert answer.status_code == 200, answer.text
        self.numbers[ident].update(changes)
        alike(answer.json(), self.numbers[ident], "a changed number")

    def rename(self):
        self.change(self.some(), name=f"{self.side.word} {self.random.randrange(1000)}")

    def forward(self):
        self.change(self.some(), forward_to=self.random.choice(self.own)[1], forward_when=self.random.choice(["never", "down", "always"]))

    def clear(self):
        self.change(self.some(), forward_to=None, forward_when="never")

    def forward_to_others(self):
        """What the other has proved is nothing here."""
        other = self.random.choice(self.side.other.nouns[type(self)].own)[1]
        self.side.refused(self.ask("PATCH", f"/{self.some()}", {"forward_to": other}), 422, "number_not_verified")

    def verified(self):
        found = self.ask("GET", "/verified", limit=100).json()["data"]
        assert {v["id"] for v in found} == {*self.pending, *(ident for ident, _ in self.own)}, found

    def confirm(self):
        """A wrong code, whoever's row it is; nobody guesses six digits here."""
        ours = self.random.random() < 0.5
        ident = self.random.choice(self.pending if ours else self.side.other.nouns[type(self)].pending)
        answer = self.ask("POST", f"/verify/{ident}/confirm", {"code": "not it"})
        self.side.refused(answer, *((422, "code_invalid") if ours else (404, "verified_number_not_found")))

    def try_it(self):
        """Numbers that were written by hand are linked to nothing."""
        answer = self.ask("POST", f"/{self.some()}/test", {"verified_number_id": self.random.choice(self.own)[0]})
        self.side.refused(answer, 409, "number_not_active")

    def foreign(self):
        """The other's numbers are as good as none."""
        ident = self.random.choice([*self.side.other.nouns[type(self)].numbers, str(uuid.uuid4())])
        method, path, body = self.random.choice([
            ("GET", "", None), ("PATCH", "", {"name": "mine"}), ("DELETE", "", None), ("GET", "/log", None), ("GET", "/usage", None),
            ("POST", "/test", {"verified_number_id": self.own[0][0]})])
        self.side.refused(self.ask(method, f"/{ident}{path}", body), 404, "number_not_found")
