"""JSON schemas of fields: of those in requests with their limits, of those in answers with their types."""

import json

from described import camel

STR_MAX, ITEMS_MAX, CURSOR_MAX = 4096, 1000, 512
E164 = r"^\+[1-9][0-9]{7,14}$"
FORMATS = {"uuid": "uuid", "time": "date-time", "email": "email"}
# What a default is in a query, as JSON.
JSON_TYPES = ("int", "number", "bool", "object", "array", "any")


def _plain(field):
    kind = field["type"]
    if kind == "any":
        return {}
    if kind in ("int", "number"):
        return {"type": "integer" if kind == "int" else "number"}
    if kind == "bool":
        return {"type": "boolean"}
    if kind in ("object", "array"):
        return {"type": kind}
    return {"type": "string", **({"format": FORMATS[kind]} if kind in FORMATS else {})}


def _limits(field):
    """What a request's value must keep to."""
    kind, low, high = field["type"], field.get("min", 0), field.get("max", 0)
    if kind == "string":
        return {**({"minLength": low} if low else {}), "maxLength": high or STR_MAX}
    if kind == "array":
        return {**({"minItems": low} if low else {}), "maxItems": high or ITEMS_MAX}
    if kind == "cursor":
        return {"minLength": 1, "maxLength": CURSOR_MAX}
    if kind == "e164":
        return {"pattern": E164}
    if kind == "int" and not (low or high):
        return {"format": "int32"}
    if kind in ("int", "number") and (low or high):
        return {"minimum": low, **({"maximum": high} if high or low < 0 else {})}
    return {}


def _nullable(schema):
    if "type" in schema:
        schema["type"] = [schema["type"], "null"]
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return schema


def _inside(field, answer):
    """What is in an object or an array."""
    if field.get("items"):
        inner = value_schema(field["items"], answer)
        return {"items": inner} if field["type"] == "array" else {"additionalProperties": inner}
    if not field.get("fields"):
        return {"additionalProperties": True} if field["type"] == "object" else {}
    if answer:
        inner = {"$ref": f"#/components/schemas/{camel(field['table'])}"}
    else:
        inner = object_schema(field["fields"], answer, strict=True)
    return {"items": inner} if field["type"] == "array" else inner


def value_schema(field, answer):
    """The schema of one value; answer: not of a request."""
    schema = _plain(field)
    if not answer:
        schema.update(_limits(field))
    inside = _inside(field, answer)
    schema = inside if "$ref" in inside else {**schema, **inside}
    if field.get("values"):
        schema = {"type": "string", "enum": list(field["values"])}
    return _nullable(schema) if field["nullable"] else schema


def field_schema(field, answer):
    """The same with its sentence and its default."""
    schema = {**value_schema(field, answer), "description": field["doc"]}
    if "default" in field:
        schema["default"] = json.loads(field["default"]) if field["type"] in JSON_TYPES else field["default"]
    return schema


def object_schema(fields, answer, strict=False):
    """An object by a table of fields; strict: nothing else may be in it."""
    required = [field["name"] for field in fields if field["required"]]
    schema = {"type": "object", "properties": {field["name"]: field_schema(field, answer) for field in fields}}
    if required:
        schema["required"] = required
    if strict:
        schema["additionalProperties"] = False
    return schema


def answer_schema(returns):
    """What a success answers as JSON."""
    if not returns.get("table"):
        return {"type": "object", "properties": {}}
    one = {"$ref": f"#/components/schemas/{camel(returns['table'])}"}
    if returns.get("or"):
        return {"oneOf": [one, answer_schema(returns["or"])]}
    if returns["form"] == "object":
        return one
    data = {"data": {"type": "array", "items": one}}
    if returns["form"] == "list":
        data["next_cursor"] = {"type": ["string", "null"], "description": "after of the next page; null: there is none."}
    return {"type": "object", "properties": data, "required": list(data)}
