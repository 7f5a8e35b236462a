"""The manual of the API in Markdown, made from what the programs say of themselves."""

from curl import curl
from described import camel, fields_in, tables_of
from openapi import SECURITY_SCHEMES, SIGNED
from refusals import body_type, refusals, takes_bytes

INTRODUCTION = """# The API

Made by `make manual` from what the programs say of themselves (`--describe`); the same for machines is
[openapi.json](openapi.json). Who may call what by his role: [roles.md](roles.md).

The examples are commands for a shell where these are set: `API_URL`, where your installation answers; `TOKEN`, a person's
access token, or an API key where the route takes one; ids of yours by the names of the fields (`CALL_ID`). `MAIL_TOKEN`
is what the link in a mail carries, `CODE` what an app for one-time codes shows, `OPERATOR_TOKEN` the access token of
somebody whom `HOOKSWITCH_OPERATORS` names, `SERVICE_TOKEN` a token of the role `service_role`, `INTERNAL_TOKEN` the
setting `HOOKSWITCH_INTERNAL_TOKEN`, `FILE` the name of a file. Each of them is run by a test.

- Who asks says so by `Authorization: Bearer` and an access token or an API key; a key may come as `X-API-Key` instead.
  A key acts for its organization, a person for the one that `X-Organization-Id` names, else for the default one.
- An error is `application/problem+json` with a `code` that never changes its meaning; below `/auth/v1` it has the shape
  that clients of Supabase know. What each code says stands [at the end](#errors).
- Lists give `next_cursor`: send it as `after` for the next page; null: that was the last one.
- A GET of JSON has an `ETag`: with `If-None-Match` it answers 304 while nothing has changed, and PUT, PATCH and DELETE
  with `If-Match` are refused (412) when somebody else was faster.
- A POST with an `Idempotency-Key` can be sent again: it is done once, and answered the same for 24 hours.
- Fields that are not described are refused by name. Times are RFC 3339, in UTC; telephone numbers E.164.
- A field of a PATCH that is not given stays as it is; null clears one that may be null.
"""
WHO = {"public": "anybody", "person": "a person with a token, in whatever organization", "operator": "operators",
       "local": "this host, or the internal token", "internal": "this host, with the internal token where one is set"}


def _cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")


def _kind(field):
    """A field's type in words."""
    if field.get("values"):
        return " ".join(f"`{value}`" for value in field["values"])
    if field.get("table") and field["in"] == "out":
        name = camel(field["table"])
        return f"{field['type']} of [{name}](#{name.lower()})" if field["type"] == "array" else f"[{name}](#{name.lower()})"
    if field.get("items"):
        inner = _kind({"in": field["in"], **field["items"]})
        return f"{field['type']} of {inner}"
    return field["type"]


def _limits(field):
    words = []
    if "min" in field:
        words.append(f"{field['min']} to {field['max']}" if field["max"] or field["min"] < 0 else f"from {field['min']}")
    if "default" in field:
        words.append(f"default `{field['default']}`")
    return ", ".join(words)


def _request_rows(fields, place, before=""):
    for field in fields:
        must = "yes" if field["required"] else ""
        yield (f"| `{before}{field['name']}` | {place} | {_cell(_kind(field))} | {must} | {_cell(_limits(field))} | "
               f"{_cell(field['doc'])} |")
        if field.get("fields"):
            inside = f"{before}{field['name']}." + ("N." if field["type"] == "array" else "")
            yield from _request_rows(field["fields"], place, inside)


def _request(route):
    rows = [row for place in ("path", "query", "body") for row in _request_rows(fields_in(route, place), place)]
    table = ["", "| Field | In | Type | Needed | | |", "|---|---|---|---|---|---|", *rows] if rows else []
    return [*table, "", f"The body is {body_type(route)}."] if takes_bytes(route) else table


def _link(returns):
    name = camel(returns["table"])
    return f"[{name}](#{name.lower()})"


def _answer(route):
    returns = route.get("returns")
    if not returns:
        return f"Answers {route['status']} without a body."
    if returns["form"] == "file":
        return f"Answers {route['status']} with {returns['type']}."
    if not returns.get("table"):
        return f"Answers {route['status']} with an empty object."
    link = _link(returns)
    what = {"object": f"{link} or {_link(returns['or'])}" if returns.get("or") else link, "list": f"a list of {link}, page by page", "data": f"`data`, all of {link}"}[returns["form"]]
    return f"Answers {route['status']} with {what}."


def _way(way):
    """How a webhook is proved: what stands in its headers."""
    told = [(SECURITY_SCHEMES[name].get("name", "Authorization"), SECURITY_SCHEMES[name]["description"]) for name in way]
    return "; ".join(f"`{name}`: {doc.rstrip('.')}" for name, doc in told)


def _who(program, route):
    if program["program"] in SIGNED:
        return "\n".join(["Whoever proves himself by one of:", "", *(f"- {_way(way)}." for way in SIGNED[program["program"]])])
    if route["access"] == "api":
        return f"Whoever has the scope `{route['scope']}`."
    if "not_admin" in route["errors"]:
        return "The application, with a token of the role `service_role`."
    if route["access"] == "public" and "unauthenticated" in route["errors"]:
        return "A person with a session."
    return WHO[route["access"]].capitalize() + "."


def _refused(program, route, errors):
    told = {code: status for status, codes in refusals(program, route, errors).items() for code in codes}
    own = []
    for code in route["errors"]:
        name = program.get("codes", {}).get(code, {"code": code})["code"]
        if name not in own:
            own.append(name)
    return "Refuses with " + ", ".join(f"{told[name]} `{name}`" for name in own) + "." if own else ""


def _route(program, route, errors):
    lines = [f"### {route['method']} {route['path']}", "", route["doc"], "", _who(program, route), *_request(route), "",
             _answer(route)]
    refused = _refused(program, route, errors)
    if refused:
        lines += ["", refused]
    return [*lines, "", "```sh", curl(route), "```", ""]


def _object(name, about, fields):
    lines = [f"### {camel(name)}", "", about, "", "| Member | Type | May be missing | May be null | |", "|---|---|---|---|---|"]
    for field in fields:
        lines.append(f"| `{field['name']}` | {_cell(_kind(field))} | {'' if field['required'] else 'yes'} | "
                     f"{'yes' if field['nullable'] else ''} | {_cell(field['doc'])} |")
    return [*lines, ""]


def manual(programs, errors):
    """All of it."""
    lines = [INTRODUCTION, *(f"- [{program['program']}](#{program['program']}): {program['about']}" for program in programs), ""]
    for program in programs:
        lines += [f"## {program['program']}", "", program["about"], ""]
        for route in program["routes"]:
            lines += _route(program, route, errors)
    lines += ["## Objects", ""]
    for name, (about, fields) in sorted(tables_of(programs).items(), key=lambda table: camel(table[0])):
        lines += _object(name, about, fields)
    lines += ["## Errors", "", "| Status | Code | |", "|---|---|---|"]
    lines += [f"| {status} | `{code}` | {_cell(sentence)} |" for code, (status, sentence) in errors.items()]
    return "\n".join(lines) + "\n"
