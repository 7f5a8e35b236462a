"""What the programs say of themselves (--describe), and the errors that can leave them (errors.def)."""

import json
import re

HEADER_LINES = re.compile(r'^ERROR\(\w+, (\d+), "(\w+)", "(.*)"\)$', re.M)


def descriptions(text):
    """Each JSON object of a text that holds one after the other, in the order of the programs' names."""
    decoder, at, found = json.JSONDecoder(), 0, []
    while text[at:].strip():
        one, at = decoder.raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))
        found.append(one)
    return sorted(found, key=lambda program: program["program"])


def errors_of(text):
    """Of errors.def: by code, the status and the sentence."""
    return {code: (int(status), sentence) for status, code, sentence in HEADER_LINES.findall(text)}


def camel(name):
    """call_line_out and call-line become CallLine."""
    words = re.split(r"[-_.]", re.sub(r"_out$", "", name))
    return "".join(word[:1].upper() + word[1:] for word in words)


def params_of(path):
    """The names of a path's parameters."""
    return re.findall(r"\{(\w+)\}", path)


def fields_in(route, place):
    """The fields of a request that are taken from one place."""
    return [field for field in route["fields"] if field["in"] == place]


def operation_id(route):
    """GET /api/v1/calls/{call_id} becomes get_calls_by_call_id."""
    path = re.sub(r"^/api/v1", "", route["path"])
    words = re.sub(r"\{(\w+)\}", r"by_\1", path)
    return re.sub(r"\W+", "_", route["method"].lower() + words)


def silent(programs):
    """Routes that answer something and do not say what."""
    return [f"{route['method']} {route['path']}" for program in programs for route in program["routes"]
            if "returns" not in route and route["status"] < 300 and route["status"] != 204]


def tables_of(programs):
    """All tables of answers by the name that they have in C, with the tables inside of them: their sentence and their fields."""
    found = {}

    def take(holder):
        if holder.get("or"):
            take(holder["or"])
        if not holder.get("table"):
            return
        name, told = holder["table"], (holder.get("about"), holder["fields"])
        if found.setdefault(name, told) != told:
            raise SystemExit(f"two tables of answers are called {name}: give one of them another name")
        for field in holder["fields"]:
            take(field)
            take(field.get("items") or {})

    for program in programs:
        for route in program["routes"]:
            take(route.get("returns") or {})
    return found


def without_sentence(programs):
    """Programs and tables of answers that do not say what they are."""
    return [program["program"] for program in programs if not program.get("about")] + [
        name for name, (about, _) in tables_of(programs).items() if not about]
