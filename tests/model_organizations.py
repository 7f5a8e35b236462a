"""What one tenant knows of its organization: the model of /api/v1/organizations and what lies below it."""

import uuid

from model_tenants import alike
from stack_client import Client

ROOT = "/api/v1/organizations"
SCOPES = [["calls:read"], ["calls:read", "calls:write"], ["members:read"], ["*"]]


class Organizations:
    """The organization of a side: its name and settings, its members, invitations, keys and log."""

    operations = {"get": 3, "list_mine": 2, "change": 2, "members": 3, "join": 1, "promote": 1, "remove": 1, "invite": 2, "invitations": 2,
                  "take_back": 1, "keys": 2, "make_key": 2, "use_key": 3, "end_key": 1, "log": 3, "foreign": 6, "foreign_thing": 6}

    def __init__(self, side):
        self.side, self.random, self.stack = side, side.random, side.stack
        self.path = f"{ROOT}/{side.organization}"
        rows = self.stack.sql("select user_id::text, role from organization_members where organization_id = %s", side.organization)
        self.people = {row.user_id: row.role for row in rows}
        self.fixed = set(self.people)
        self.invited, self.made, self.clients = {}, {}, {}
        self.known = {row[0] for row in self.stack.sql("select id::text from api_keys where organization_id = %s", side.organization)}
        self.view = {"id": side.organization, "name": self.ask("GET", "").json()["name"], "status": "active", "is_personal": True}
        side.is_own(*self.known)

    @property
    def other(self):
        """The other tenant's."""
        return self.side.other.nouns[type(self)]

    def ask(self, method, path, body=None, **more):
        """A request about the organization, by somebody who may do everything there."""
        return self.side.ask(method, self.path + path, body, by=self.side.owners, **more)

    def some(self, things):
        """One of them; an id that nothing has, without any."""
        return self.random.choice(list(things)) if things else str(uuid.uuid4())

    # ---- itself ----------------------------------------------------------------

    def get(self):
        alike(self.side.ask("GET", self.path, by=self.side.writers + self.side.readers).json(), self.view, "the organization")

    def list_mine(self):
        found = self.side.ask("GET", ROOT, by=self.side.owners).json()
        assert [o["id"] for o in found["data"]] == [self.side.organization] and found["next_cursor"] is None, found

    def change(self):
        name = f"{self.side.word} {self.random.randrange(1000)}"
        self.view["name"] = name
        alike(self.ask("PATCH", "", {"name": name}).json(), self.view, "a renamed organization")

    # ---- members ------------------------------------------------------------------

    def members(self):
        found = self.side.ask("GET", self.path + "/members", by=self.side.writers[:1] + self.side.readers, limit=100).json()
        assert {m["user_id"]: m["role"] for m in found["data"]} == self.people or found["next_cursor"], (found, self.people)
        assert {m["user_id"] for m in found["data"]} <= set(self.people), found

    def join(self):
        """The hand of the mail: somebody has accepted an invitation."""
        ident = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        self.stack.sql("insert into organization_members (organization_id, user_id, role) values (%s, %s, 'viewer')", self.side.organization, ident)
        self.side.is_own(ident)
        self.people[ident] = "viewer"

    def promote(self):
        ident, role = self.some(set(self.people) - self.fixed), self.random.choice(["viewer", "member", "admin"])
        answer = self.ask("PATCH", f"/members/{ident}", {"role": role})
        if ident not in self.people:
            return self.side.refused(answer, 404, "member_not_found")
        alike(answer.json(), {"user_id": ident, "role": role}, "a member with another role")
        self.people[ident] = role
        return None

    def remove(self):
        ident = self.some(set(self.people) - self.fixed)
        answer = self.ask("DELETE", f"/members/{ident}")
        if self.people.pop(ident, None) is None:
            return self.side.refused(answer, 404, "member_not_found")
        assert answer.status_code == 204, answer.text
        return None

    def invite(self):
        if sum(i["state"] == "pending" for i in self.invited.values()) > 150:
            return
        email = f"{self.side.word}-{self.random.randrange(10 ** 9)}@example.com"
        answer = self.ask("POST", "/members", {"email": email, "role": "member"})
        assert answer.status_code == 201, answer.text
        found = answer.json()
        alike(found, {"email": email, "role": "member", "state": "pending"}, "an invitation")
        self.side.is_own(found["id"])
        self.invited[found["id"]] = found

    def invitations(self):
        found = self.ask("GET", "/invitations", limit=100).json()["data"]
        assert [i["id"] for i in found] == list(reversed(self.invited))[:100]
        for one in found:
            alike(one, {k: self.invited[one["id"]][k] for k in ("email", "role", "state")}, "an invitation in a list")

    def take_back(self):
        ident = self.some(self.invited)
        answer = self.ask("DELETE", f"/invitations/{ident}")
        if ident not in self.invited:
            return self.side.refused(answer, 404, "invitation_not_found")
        if self.invited[ident]["state"] == "revoked":
            return self.side.refused(answer, 409, "invitation_revoked")
        assert answer.status_code == 204, answer.text
        self.invited[ident] = {**self.invited[ident], "state": "revoked"}
        return None

    # ---- keys -----------------------------------------------------------------------

    def keys(self):
        found = self.ask("GET", "/api-keys", limit=100).json()["data"]
        assert {k["id"] for k in found} == self.known | set(self.made) or len(found) == 100
        for one in (k for k in found if k["id"] in self.made):
            alike(one, {k: self.made[one["id"]][k] for k in ("name", "prefix", "scopes", "state")}, "a key in a list")

    def make_key(self):
        if sum(k["state"] == "active" for k in self.made.values()) > 50:
            return
        scopes = self.random.choice(SCOPES)
        answer = self.ask("POST", "/api-keys", {"name": self.side.word, "scopes": scopes})
        assert answer.status_code == 201, answer.text
        found = answer.json()
        alike(found, {"name": self.side.word, "scopes": scopes, "state": "active"}, "a new key")
        self.side.is_own(found["id"])
        self.clients[found["id"]] = Client(self.stack.url, {"Authorization": f"Bearer {found.pop('key')}"})
        self.made[found["id"]] = found

    def use_key(self):
        """A key opens its own organization, as far as its scopes go, and only while it is good."""
        if not self.made:
            return
        ident = self.some(self.made)
        scopes, good = self.made[ident]["scopes"], self.made[ident]["state"] == "active"
        answer = self.clients[ident].ask("GET", "/api/v1/calls/stats")
        self.side.unseen(answer)
        if not good:
            return self.side.refused(answer, 401, "api_key_invalid")
        if not {"*", "calls:read"} & set(scopes):
            return self.side.refused(answer, 403, "scope_missing")
        assert answer.status_code == 200 and answer.json()["total"] == self.side.total(), answer.text
        self.side.refused(self.clients[ident].ask("GET", self.other.path), 404, "organization_not_found")
        return None

    def end_key(self):
        ident = self.some(self.made)
        answer = self.ask("DELETE", f"/api-keys/{ident}")
        if ident not in self.made:
            return self.side.refused(answer, 404, "api_key_not_found")
        if self.made[ident]["state"] == "revoked":
            return self.side.refused(answer, 409, "api_key_ended")
        assert answer.status_code == 204, answer.text
        self.made[ident] = {**self.made[ident], "state": "revoked"}
        return None

    # ---- the log ----------------------------------------------------------------------

    def log(self):
        """Nothing stands there but what was done to things of one's own."""
        ident = self.some({self.side.organization, *self.invited, *self.made, *self.people})
        found = self.ask("GET", "/audit-log", limit=100, target_id=self.random.choice([None, ident])).json()["data"]
        own = {self.side.organization, *self.side.own, *self.people, *self.known}
        assert found and all(entry["target_id"] in own for entry in found), found

    # ---- what is the other's --------------------------------------------------------------

    def foreign(self):
        """The other organization does not exist."""
        below, body = self.random.choice([("", None), ("", {"name": "mine"}), ("/members", None), ("/invitations", None), ("/api-keys", None),
                                          ("/audit-log", None), ("/members", {"email": "x@example.com", "role": "owner"}),
                                          ("/api-keys", {"name": "x", "scopes": ["*"]}), ("/audit-log/export", None), ("/restore", {})])
        method = "GET" if body is None else "PATCH" if below == "" else "POST"
        self.side.refused(self.side.ask(method, self.other.path + below, body, by=self.side.strangers), 404, "organization_not_found")

    def foreign_thing(self):
        """Nor is anything of it found below one's own."""
        method, below, body, code = self.random.choice([
            ("PATCH", "/members/" + self.some(self.other.fixed - self.fixed), {"role": "viewer"}, "member_not_found"),
            ("DELETE", "/members/" + self.some(self.other.fixed - self.fixed), None, "member_not_found"),
            ("DELETE", "/invitations/" + self.some(self.other.invited), None, "invitation_not_found"),
            ("POST", f"/invitations/{self.some(self.other.invited)}/resend", {}, "invitation_not_found"),
            ("GET", "/api-keys/" + self.some({*self.other.made, *self.other.known}), None, "api_key_not_found"),
            ("DELETE", "/api-keys/" + self.some({*self.other.made, *self.other.known}), None, "api_key_not_found"),
            ("POST", f"/api-keys/{self.some({*self.other.made, *self.other.known})}/rotate", {}, "api_key_not_found")])
        self.side.refused(self.ask(method, below, body), 404, code)
        if self.random.random() < 0.3:
            found = self.ask("GET", "/audit-log", target_id=self.some({*self.other.made, *self.other.known, self.other.side.organization}))
            assert found.json()["data"] == [], found.text
