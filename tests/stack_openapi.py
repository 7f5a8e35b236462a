"""Whether an answer is as docs/openapi.json says: the route, the status, the type, every member, the error's code.

    DESCRIPTION.check(method, path, answer)

fails by name for a route, a status, a code or a member that is not described, for one that is described as always there
and is not, and for a value of another type.  It is asked for every answer that a Client gets (stack_client.py).
"""

import json
import re
from pathlib import Path
from urllib.parse import unquote

from jsonschema import Draft202012Validator, FormatChecker

FILE = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FORMATS = FormatChecker(formats=())
FORMATS.checks("date-time")(lambda value: not isinstance(value, str) or bool(TIME.fullmatch(value)))
FORMATS.checks("uuid")(lambda value: not isinstance(value, str) or bool(UUID.fullmatch(value)))
FORMATS.checks("email")(lambda value: not isinstance(value, str) or "@" in value)
JSON = ("application/json", "application/problem+json")
ANY = object()


class NotDescribed(AssertionError):
    """An answer that the description does not know."""


class Description:
    """A description, ready to be asked: each schema is made once."""

    def __init__(self, document):
        self.document, self.tree, self.validators = document, {}, {}
        self.seen = None  # a set: it gathers which members of which schemas were answered
        for path, item in document["paths"].items():
            at = self.tree
            for part in path.split("/")[1:]:
                at = at.setdefault(ANY if part.startswith("{") else part, {})
            at[None] = (path, item)

    # ---- finding ---------------------------------------------------------------

    def find(self, path):
        """The path as it is described and its operations, or None; what is written out wins over parameters."""
        parts = [unquote(part) for part in path.split("?")[0].split("/")[1:]]
        # The web server goes up there.
        return None if {".", ".."}.intersection(parts) else self._find(self.tree, parts)

    def _find(self, at, parts):
        if not parts:
            return at.get(None)
        for part in (parts[0], ANY) if parts[0] else (parts[0],):
            found = self._find(at[part], parts[1:]) if part in at else None
            if found:
                return found
        return None

    def named(self, thing):
        """What a $ref names, or the thing itself."""
        while "$ref" in thing:
            at = self.document
            for part in thing["$ref"].split("/")[1:]:
                at = at[part]
            thing = at
        return thing

    # ---- schemas ---------------------------------------------------------------

    def closed(self, schema):
        """The schema with all $ref replaced, in which objects hold nothing but what is described."""
        schema = {word: value for word, value in self.named(schema).items() if word != "description"}
        if "allOf" in schema:
            first, *more = schema["allOf"]
            return {**schema, "allOf": [self.closed(first), *more]}
        if "properties" in schema:
            schema["properties"] = {name: self.closed(one) for name, one in schema["properties"].items()}
            schema.setdefault("additionalProperties", False)
        for word in ("items", "additionalProperties"):
            if isinstance(schema.get(word), dict):
                schema[word] = self.closed(schema[word])
        for word in ("anyOf", "oneOf"):
            if word in schema:
                schema[word] = [self.closed(one) for one in schema[word]]
        return schema

    def validator(self, where, schema):
        """The validator of an answer; made at the first one."""
        if where not in self.validators:
            self.validators[where] = Draft202012Validator(self.closed(schema), format_checker=FORMATS)
        return self.validators[where]

    def members(self, schema, body, name=None):
        """Each member of a body: the schema's name and its own."""
        name, schema = schema["$ref"].split("/")[-1] if "$ref" in schema else name, self.named(schema)
        for one in schema.get("anyOf", ()):
            yield from self.members(one, body)
        for one in schema.get("oneOf", ()):
            if set(self.named(one)["required"]) <= set(body):
                yield from self.members(one, body)
        for one in body if isinstance(body, list) and "items" in schema else ():
            yield from self.members(schema["items"], one)
        for member, value in body.items() if isinstance(body, dict) and "properties" in schema else ():
            yield name, member
            yield from self.members(schema["properties"].get(member, {}), value)

    def all_members(self):
        """All members of all schemas of successes."""
        return {(name, member) for name, schema in self.document["components"]["schemas"].items()
                if name not in ("Problem", "FieldProblem", "AuthError") for member in schema["properties"]}

    # ---- asking ----------------------------------------------------------------

    def check(self, method, path, answer, read=True):
        """An answer to a request; read: its body may be looked at."""
        found, status = self.find(path), answer.status_code
        if method == "OPTIONS":
            return
        operation = found and found[1].get({"HEAD": "get"}.get(method, method.lower()))
        if not operation:
            if status < 400:
                raise NotDescribed(f"{method} {path}: answered {status}, but no such route is described")
            return
        where = (method, found[0], status)
        response = operation["responses"].get(str(status))
        if not response:
            raise NotDescribed(f"{method} {found[0]}: the status {status} is not described: {answer.text[:300]}")
        self._check_answer(where, self.named(response), answer, read and method != "HEAD")

    def _check_answer(self, where, response, answer, read):
        kind = (answer.headers.get("Content-Type") or "").split(";")[0]
        content, words = response.get("content"), f"{where[0]} {where[1]} {where[2]}"
        if "X-Request-Id" not in answer.headers:
            raise NotDescribed(f"{words}: without X-Request-Id")
        if "ETag" in response["headers"] and "ETag" not in answer.headers:
            raise NotDescribed(f"{words}: without the ETag that is described")
        if not content:
            if kind or (read and answer.content):
                raise NotDescribed(f"{words}: a body of type {kind}, but none is described")
            return
        if kind not in content:
            raise NotDescribed(f"{words}: the type {kind!r} is not described: {answer.text[:300] if read else ''}")
        if read and kind in JSON:
            self.check_body((*where, kind), words, content[kind]["schema"], answer.json())

    def check_body(self, where, words, schema, body):
        """A body by the schema of where, a thing to know it by; words: what it is the answer to."""
        validator = self.validator(where, schema)
        if self.seen is not None:
            self.seen.update(self.members(schema, body))
        if validator.is_valid(body):
            return
        wrong = [f"{'.'.join(map(str, error.absolute_path)) or 'the body'}: {error.message[:300]}"
                 for error in list(validator.iter_errors(body))[:5]]
        raise NotDescribed(f"{words}: {'; '.join(wrong)}")


DESCRIPTION = Description(json.loads(FILE.read_text(encoding="utf-8")))
