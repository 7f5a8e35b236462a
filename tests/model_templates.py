"""What one tenant knows of its call templates: the model of /api/v1/call-templates, and of rendering those for assistants."""

import uuid

from model_tenants import alike

ROOT = "/api/v1/call-templates"
STOCK = "/api/v1/templates"
CATEGORIES = ("reminders", "sales", None)


class Templates:
    """The call templates that the writers of a side make for their organization, in the order in which they were made."""

    operations = {"create": 3, "get": 4, "list": 4, "categories": 2, "change": 3, "remove": 1, "copy": 1, "share": 2, "unshare": 1, "like": 2,
                  "render": 1, "foreign": 6, "publish": 1}

    def __init__(self, side):
        self.side, self.random = side, side.random
        # The model of calls has made one; other tests' templates there are none.
        rows = side.stack.sql("select id::text, name from call_templates where organization_id = %s", side.organization)
        self.fixed = {row.id: {"name": row.name, "category": None} for row in rows}
        self.made, self.shares, self.liked = {}, {}, set()

    @property
    def other(self):
        """The other tenant's."""
        return self.side.other.nouns[type(self)]

    def some(self, things):
        """One of them; an id that nothing has, without any."""
        return self.random.choice(list(things)) if things else str(uuid.uuid4())

    def ask(self, method, path, body=None, **more):
        """By somebody who may write."""
        return self.side.ask(method, path, body, by=self.side.writers, **more)

    def kept(self, answer, wish):
        """The template that was made is as the wish says; it is the model's from now on."""
        assert answer.status_code == 201, answer.text
        found = answer.json()
        alike(found, {"organization_id": self.side.organization, "visibility": "organization", "editable": True, "favorite": False, **wish},
              "a new template")
        self.side.is_own(found["id"])
        self.made[found["id"]] = found

    def create(self):
        wish = {"name": f"{self.side.word} {self.random.randrange(9)}", "category": self.random.choice(CATEGORIES), "tags": [self.side.word],
                "params": {"variables": [{"name": "who"}]}, "first_message": "Hello {{who}}"}
        if len(self.made) < 60:
            answer = self.ask("POST", ROOT, wish, key=self.side.pick_key())
            if answer is not None:
                self.kept(answer, wish)

    def get(self):
        ident = self.some(self.made)
        answer = self.side.ask("GET", f"{ROOT}/{ident}")
        if ident not in self.made:
            return self.side.refused(answer, 404, "call_template_not_found")
        return self.same(answer.json(), ident)

    def same(self, found, ident):
        """A template as the model knows it; whether one likes it is each person's own."""
        alike(found, {k: v for k, v in self.made[ident].items() if k != "favorite"}, f"template {ident}")

    def list(self):
        category = self.random.choice(CATEGORIES)
        wanted = [i for i, t in self.made.items() if category in (None, t["category"])]
        wanted += [i for i in self.fixed if category is None]
        found = self.side.ask("GET", ROOT, limit=100, category=category, editable="true").json()
        assert {t["id"] for t in found["data"]} == set(wanted) and found["next_cursor"] is None, (found, wanted)
        for one in (t for t in found["data"] if t["id"] in self.made):
            self.same(one, one["id"])

    def categories(self):
        """Those of the other are counted only where they are public, and those have a category of their own."""
        found = {c["category"]: c["templates"] for c in self.side.ask("GET", ROOT + "/categories").json()["data"]}
        for name in ("reminders", "sales"):
            assert found.get(name, 0) == sum(t["category"] == name for t in self.made.values()), found

    def change(self):
        ident, changes = self.some(self.made), {"name": f"{self.side.word} {self.random.randrange(99)}", "description": self.side.word}
        answer = self.ask("PATCH", f"{ROOT}/{ident}", changes)
        if ident not in self.made:
            return self.side.refused(answer, 404, "call_template_not_found")
        self.made[ident] = {**self.made[ident], **changes, "updated_at": answer.json()["updated_at"]}
        return self.same(answer.json(), ident)

    def remove(self):
        ident = self.some(self.made)
        answer = self.ask("DELETE", f"{ROOT}/{ident}")
        if self.made.pop(ident, None) is None:
            return self.side.refused(answer, 404, "call_template_not_found")
        assert answer.status_code == 204, answer.text
        self.liked.discard(ident)
        self.shares = {share: of for share, of in self.shares.items() if of != ident}
        return None

    def copy(self):
        ident = self.some(self.made)
        if ident in self.made and len(self.made) < 60:
            same = ("name", "category", "tags", "params", "first_message", "targets")
            self.kept(self.ask("POST", f"{ROOT}/{ident}/copy", {}), {k: self.made[ident][k] for k in same})

    def share(self):
        ident = self.some(self.made)
        answer = self.ask("POST", f"{ROOT}/{ident}/shares", {"email": f"{self.side.word}@example.com"})
        if ident not in self.made:
            return self.side.refused(answer, 404, "call_template_not_found")
        assert answer.status_code == 201, answer.text
        self.side.is_own(answer.json()["id"])
        self.shares[answer.json()["id"]] = ident
        found = self.side.ask("GET", f"{ROOT}/{ident}/shares").json()["data"]
        assert [s["id"] for s in found] == [share for share, of in self.shares.items() if of == ident], found
        return None

    def unshare(self):
        share = self.some(self.shares)
        ident = self.shares.pop(share, None)
        answer = self.ask("DELETE", f"{ROOT}/{ident or self.some(self.fixed)}/shares/{share}")
        if ident is None:
            return self.side.refused(answer, 404, "share_not_found")
        assert answer.status_code == 204, answer.text
        return None

    def like(self):
        """Each person's favourites are his own: one of them likes, and looks."""
        ident, person = self.some(self.made), [self.side.person]
        answer = self.side.ask("PUT", f"{ROOT}/{ident}/favorite", by=person)
        if ident not in self.made:
            return self.side.refused(answer, 404, "call_template_not_found")
        assert answer.status_code == 204, answer.text
        self.liked.add(ident)
        found = self.side.ask("GET", ROOT, by=person, favorite="true", limit=100).json()["data"]
        assert {t["id"] for t in found} == self.liked and all(t["favorite"] for t in found), (found, self.liked)
        return None

    def render(self):
        values = {"business_name": self.side.word, "business_description": "b", "opening_hours": "o"}
        found = self.side.ask("POST", f"{STOCK}/receptionist/render", {"variable_values": values}).json()
        assert self.side.word in found["system_prompt"] and found["variable_values"]["business_name"] == self.side.word, found

    # ---- what is the other's -------------------------------------------------------------

    def foreign(self):
        """A template of the other's does not exist, nor does a share of one below one's own."""
        theirs = self.some({**self.other.made, **self.other.fixed})
        method, path, body, code = self.random.choice([
            ("GET", f"/{theirs}", None, "call_template_not_found"), ("PATCH", f"/{theirs}", {"name": "mine"}, "call_template_not_found"),
            ("DELETE", f"/{theirs}", None, "call_template_not_found"), ("POST", f"/{theirs}/copy", {}, "call_template_not_found"),
            ("PUT", f"/{theirs}/favorite", None, "call_template_not_found"), ("GET", f"/{theirs}/shares", None, "call_template_not_found"),
            ("POST", f"/{theirs}/shares", {"email": "x@example.com"}, "call_template_not_found"),
            ("DELETE", f"/{self.some(self.fixed)}/shares/{self.some(self.other.shares)}", None, "share_not_found")])
        by = [self.side.person] if path.endswith("/favorite") else self.side.writers
        self.side.refused(self.side.ask(method, ROOT + path, body, by=by), 404, code)

    def publish(self):
        """For a moment one is everybody's: the other sees it, and nothing of whose it is; then it is not there for him any more."""
        ident = self.some(self.made)
        if ident not in self.made:
            return
        self.ask("PATCH", f"{ROOT}/{ident}", {"visibility": "public", "name": "everybody's"})
        seen = self.random.choice(self.side.other.writers).get(f"{ROOT}/{ident}")
        alike(seen, {"name": "everybody's", "editable": False, "organization_id": None, "created_by": None}, "a public template of the other's")
        last = self.ask("PATCH", f"{ROOT}/{ident}", {"visibility": "organization", "name": self.made[ident]["name"]}).json()
        self.made[ident] = {**self.made[ident], "updated_at": last["updated_at"]}
        self.side.refused(self.side.other.writers[0].ask("GET", f"{ROOT}/{ident}"), 404, "call_template_not_found")
