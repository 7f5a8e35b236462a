"""Two tenants and what each may know: the model that test_two_tenants.py compares every answer with.

A Side is one tenant with the people and keys that act for it.  A noun (tests/model_calls.py) holds what its routes may be
asked and what they must answer then.  A new noun is a class with `operations`, methods that make one request each by
`side.ask` and compare, and a row in NOUNS of the test.
"""

import base64
import json
import re
import secrets

IDS = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|\+\d{8,15}|word-[0-9a-f]{12}")
MISSING = object()


class Kept(dict):
    """Idempotency keys that this tenant has used: key -> (what was asked, status, body)."""


class Side:
    """One tenant: who acts for it, all that is its own, and the model of each noun."""

    def __init__(self, stack, random, person, area):
        self.stack, self.random, self.person, self.area = stack, random, person, area
        self.organization = person.organization
        self.word = "word-" + secrets.token_hex(6)
        self.own = {self.organization, person.id, self.word}
        self.kept, self.nouns, self.other, self.numbers = Kept(), {}, None, 0
        self.writers, self.readers, self.owners, self.strangers = [], [], [], []
        self.total = lambda: 0

    def acts(self, person, reads=False):
        """One more who acts for this tenant; reads: and may only read."""
        (self.readers if reads else self.writers).append(person)

    def number(self):
        """A telephone number that only this tenant calls."""
        self.numbers += 1
        ident = f"+1555{self.area}{self.numbers % 10000:04d}"
        self.own.add(ident)
        return ident

    def is_own(self, *idents):
        """These are this tenant's from now on."""
        self.own.update(idents)

    # ---- asking ----------------------------------------------------------------

    def ask(self, method, path, body=None, key=None, by=None, **params):
        """A request as anybody of this tenant; answers the response, in which nothing of the other is.

        key: an Idempotency-Key; what was answered to it before must be answered again.  by: one of these asks."""
        who = self.random.choice(by or self.writers + (self.readers if method == "GET" else []))
        data = None if body is None else json.dumps(body).encode()
        if key in self.kept and self.random.random() < 0.5:
            method, path, data = self.kept[key][0]
        answer = who.ask(method, path, data, headers={"Idempotency-Key": key} if key else None,
                         params={k: v for k, v in params.items() if v is not None})
        self.unseen(answer)
        assert answer.status_code < 500, f"{method} {path}: {answer.status_code} {answer.text}"
        return self.again(answer, key, (method, path, data)) if key else answer

    def again(self, answer, key, asked):
        """The answer to a request with a key is what the model of keys says; None when nothing was done."""
        replayed = answer.headers.get("Idempotent-Replayed") == "true"
        if key not in self.kept:
            assert not replayed, f"{asked} was answered with what nobody here was told before: {answer.text}"
            if answer.status_code < 300:
                self.kept[key] = (asked, answer.status_code, answer.content)
            return answer
        before, status, content = self.kept[key]
        if before != asked:
            assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused"), answer.text
        else:
            assert replayed and (answer.status_code, answer.content) == (status, content), \
                f"{asked} again: {answer.status_code} {answer.text} instead of {status} {content}"
        return None

    def unseen(self, answer):
        """Nothing of the other tenant is in an answer, its headers, or its cursor."""
        text = answer.text + str(answer.headers)
        for cursor in re.findall(r'"next_cursor":"([\w-]+)"', text):
            text += base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode(errors="replace")
        seen = set(IDS.findall(text)) & self.other.own
        assert not seen, f"{self.word} was told of the other's {seen}: {answer.request.method} {answer.request.url} {text[:2000]}"

    def refused(self, answer, status, code):
        """The answer is this error."""
        assert answer.status_code == status and answer.json()["code"] == code, \
            f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text} instead of {status} {code}"

    def pick_key(self):
        """Sometimes an Idempotency-Key, of a few that both tenants use."""
        return f"key-{self.random.randrange(40)}" if self.random.random() < 0.2 else None


def alike(answer, model, what):
    """The answer holds what the model holds, in all members that the model knows."""
    wrong = {k: (answer.get(k, MISSING), v) for k, v in model.items() if answer.get(k, MISSING) != v}
    assert not wrong, f"{what}: {wrong} (answered, expected)"


def pair(one, two):
    """Two tenants that must not know of each other."""
    one.other, two.other = two, one
    return one, two


def step(sides, nouns, random):
    """One request of one tenant, and the comparison."""
    side = random.choice(sides)
    noun = side.nouns[random.choice(nouns)]
    names = list(noun.operations)
    name = random.choices(names, [noun.operations[n] for n in names])[0]
    getattr(noun, name)()
    return name
