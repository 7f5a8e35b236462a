"""Stripe's form bodies: brackets to objects and lists, and parameters held against a table.

A table is an object of names: a function reads a leaf, an object nests, a list of one repeats. A name
that ends in "!" must be given. What stands in no table is refused, as the real one refuses it.
"""
import re
from decimal import Decimal, InvalidOperation
from urllib.parse import parse_qsl

DOCS = "https://stripe.com/docs/error-codes/"
# ISO 4217 codes that the sandbox takes; of these, some have no cents.
CURRENCIES = set("usd eur gbp chf cad aud nzd sek nok dkk pln czk huf jpy krw vnd clp".split())
ZERO_DECIMAL = {"jpy", "krw", "vnd", "clp"}


class Refused(Exception):
    """An answer that is an error in Stripe's shape."""

    def __init__(self, message, code=None, param=None, status=400, kind="invalid_request_error", **more):
        super().__init__(message)
        self.status = status
        self.kept = kind == "card_error"
        self.error = {**({"code": code, "doc_url": DOCS + code.replace("_", "-")} if code else {}),
                      "message": message, **({"param": param} if param else {}), "type": kind, **more}


def missing(kind, ident, param="id"):
    """The refusal of an id that is not there; in a path it is 404, in a parameter 400."""
    return Refused(f"No such {kind}: '{ident}'", "resource_missing", param, 404 if param == "id" else 400)


def decode(*texts):
    """The parameters of query and body as a tree of objects; lists are objects of indexes here."""
    tree = {}
    for text in texts:
        for name, value in parse_qsl(text, keep_blank_values=True):
            _put(tree, name, value)
    return tree


def _put(tree, name, value):
    head, bracket, rest = name.partition("[")
    keys = [head, *re.findall(r"([^\[\]]*)\]", bracket + rest)]
    node = tree
    for key in keys[:-1]:
        node = node.setdefault(key or str(len(node)), {})
        if not isinstance(node, dict):
            raise Refused(f"Invalid object: {name}", param=head)
    last = keys[-1] or (str(len(node)) if len(keys) > 1 else "")
    if isinstance(node.get(last), dict):
        raise Refused(f"Invalid object: {name}", param=head)
    node[last] = value


# ---- leaves ----------------------------------------------------------------


def text(param, value):
    """Any text of up to 5000 characters; empty is none."""
    if len(value) > 5000:
        raise Refused(f"Invalid string: {param} must be at most 5000 characters", "string_too_long", param)
    return value or None


def words(most):
    """Text of at most so many characters."""
    def leaf(param, value):
        if len(value) > most:
            raise Refused(f"Invalid string: must be at most {most} characters", "string_too_long", param)
        return value or None
    return leaf


def integer(param, value):
    """A whole number."""
    if not re.fullmatch(r"-?\d{1,18}", value):
        raise Refused(f"Invalid integer: {value}", "parameter_invalid_integer", param)
    return int(value)


def natural(param, value):
    """A whole number that is not negative."""
    number = integer(param, value)
    if number < 0:
        raise Refused("Invalid non-negative integer", "parameter_invalid_integer", param)
    return number


def unset_or(leaf):
    """Empty unsets; else as the other."""
    def either(param, value):
        return None if value == "" else leaf(param, value)
    return either


def decimal(param, value):
    """A decimal number of up to twelve places, not negative, as text."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or number < 0 or number.as_tuple().exponent < -12:
        raise Refused(f"Invalid decimal: {value}", "parameter_invalid_string", param)
    return value


def boolean(param, value):
    """true or false."""
    if value not in ("true", "false"):
        raise Refused(f"Invalid boolean: {value}", "parameter_invalid_string", param)
    return value == "true"


def one_of(*allowed):
    """One of these words."""
    def leaf(param, value):
        if value not in allowed:
            raise Refused(f"Invalid {param}: must be one of {', '.join(allowed)}", param=param)
        return value
    return leaf


def currency(param, value):
    """A currency that is known, in small letters."""
    if value.lower() not in CURRENCIES:
        raise Refused(f"Invalid currency: {value}. Stripe currently supports these currencies: "
                      + ", ".join(sorted(CURRENCIES)), param=param)
    return value.lower()


def email(param, value):
    """An address of mail."""
    if value and not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
        raise Refused(f"Invalid email address: {value}", "email_invalid", param)
    return value or None


def metadata(param, value):
    """Names and texts; an empty text takes the name away, empty alone takes all away."""
    if value == "":
        return {"": None}
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise Refused("Invalid object", param=param)
    if len(value) > 50 or any(len(k) > 40 or len(v) > 500 for k, v in value.items()):
        raise Refused("Metadata has at most 50 keys of 40 characters, with values of 500", param=param)
    return dict(value)


def free(param, value):
    """An object of texts with names of its own."""
    return metadata(param, value)


def or_words(leaf, *allowed):
    """One of these words, or what the leaf reads."""
    def either(param, value):
        return value if value in allowed else leaf(param, value)
    return either


# Leaves that take an object as it is.
OBJECTS = {metadata, free}


# ---- the check -------------------------------------------------------------


def check(table, given, param=""):
    """The values of all that was given; Refused names what is wrong."""
    names = {name.rstrip("!"): name for name in table}
    for key in given:
        if key not in names:
            raise Refused(f"Received unknown parameter: {_name(param, key)}", "parameter_unknown", _name(param, key))
    for key, name in names.items():
        if name.endswith("!") and given.get(key, "") == "":
            empty = "parameter_invalid_empty" if key in given else "parameter_missing"
            raise Refused(f"Missing required param: {_name(param, key)}.", empty, _name(param, key))
    return {key: _value(table[names[key]], value, _name(param, key)) for key, value in given.items()}


def _name(param, key):
    return f"{param}[{key}]" if param else key


def _value(leaf, value, param):
    if isinstance(leaf, dict):
        if value == "":
            return None
        if not isinstance(value, dict):
            raise Refused("Invalid object", param=param)
        return check(leaf, value, param)
    if isinstance(leaf, list):
        return _items(leaf[0], value, param)
    if isinstance(value, dict) and leaf not in OBJECTS:
        raise Refused(f"Invalid string: {param}", "parameter_invalid_string", param)
    return leaf(param, value)


def _items(leaf, value, param):
    if value == "":
        return []
    if not isinstance(value, dict) or not all(key.isdigit() for key in value):
        raise Refused("Invalid array", param=param)
    return [_value(leaf, value[key], f"{param}[{key}]") for key in sorted(value, key=int)]


def merge_metadata(old, given):
    """Metadata with the given changes made."""
    if given is None:
        return old
    new = {} if "" in given else {**old, **given}
    return {k: v for k, v in new.items() if v}
