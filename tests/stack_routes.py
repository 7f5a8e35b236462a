"""The routes of all programs, as the programs describe them (--describe), and requests made from that."""

import json
import re

from stack import PROGRAMS
from stack_client import Client
from stack_operators import operator

UUID = "11111111-1111-4111-8111-111111111111"
GOOD = {"string": "x", "e164": "+15557654321", "email": "ann@example.com", "time": "2099-01-01T00:00:00Z", "int": 1,
        "number": 1.5, "bool": True, "object": {"a": 1}, "uuid": UUID, "cursor": "x"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
FOR_PEOPLE = ("api", "person", "operator")


def routes_of(stack, names=PROGRAMS):
    """All routes of these programs, each with the program's name and whether its errors have a shape of their own."""
    found = []
    for name in names:
        described = stack.run_program(name, "--describe")
        assert described.returncode == 0, described.stderr
        program = json.loads(described.stdout)
        found += [{**route, "program": name, "own_errors": program["own_errors"]} for route in program["routes"]]
    return found


def good_value(field):
    """A value that a field takes."""
    if field.get("values"):
        return field["values"][0]
    if field["type"] == "array":
        return [body_of(field["fields"]) if field.get("fields") else "x"] * max(field.get("min", 1), 1)
    if field["type"] == "object" and field.get("fields"):
        return body_of(field["fields"])
    if field["type"] in ("int", "number") and field.get("min", 0) > 1:
        return field["min"]
    if field["type"] == "string":
        return "x" * max(field.get("min", 1), 1)
    return GOOD[field["type"]]


def path_of(route, **values):
    """The route's path with its parameters filled in."""
    kinds = {field["name"]: field for field in route["fields"] if field["in"] == "path"}
    return re.sub(r"\{(\w+)\}", lambda m: str(values.get(m[1]) or (good_value(kinds[m[1]]) if m[1] in kinds else UUID)),
                  route["path"])


def body_of(fields):
    """A body that is as it should be."""
    return {f["name"]: good_value(f) for f in fields
            if f["in"] == "body" and (f["required"] or f["type"] not in ("time", "array"))}


def methods_of(routes):
    """Of each path, in each program: the methods that it has."""
    found = {}
    for route in routes:
        found.setdefault((route["program"], re.sub(r"\{\w+\}", "{}", route["path"])), []).append(route)
    return list(found.values())


def inside(stack):
    """The holder of the internal token: an operator on this machine."""
    return Client(stack.url, {"Authorization": f"Bearer {stack.secrets['internal']}"})


def asker(stack, route, person):
    """Somebody who may ask."""
    if route["access"] == "operator":
        return operator(stack)
    return person if route["access"] in FOR_PEOPLE else inside(stack) if route["access"] != "public" else stack.anybody()
