"""The numbers that Twilio has to sell: made up, always the same, in the order of a seed."""
import math
import random
import re
from collections import namedtuple

KINDS = {"Local": "local", "TollFree": "toll-free", "Mobile": "mobile"}
LINES, SEED = 200, 6
# Where numbers are: country, area code, locality, region, postal code, latitude, longitude.
Place = namedtuple("Place", "country area locality region postal latitude longitude")
PLACES = [Place(*line.split("|")) for line in """
US|212|New York|NY|10001|40.7128|-74.0060
US|646|New York|NY|10011|40.7420|-74.0018
US|718|Brooklyn|NY|11201|40.6955|-73.9893
US|201|Newark|NJ|07102|40.7357|-74.1724
US|617|Boston|MA|02108|42.3576|-71.0638
US|215|Philadelphia|PA|19102|39.9527|-75.1652
US|202|Washington|DC|20001|38.9101|-77.0147
US|305|Miami|FL|33130|25.7684|-80.2043
US|404|Atlanta|GA|30303|33.7526|-84.3888
US|312|Chicago|IL|60601|41.8858|-87.6181
US|313|Detroit|MI|48226|42.3317|-83.0479
US|512|Austin|TX|78701|30.2711|-97.7437
US|713|Houston|TX|77002|29.7564|-95.3653
US|303|Denver|CO|80202|39.7525|-104.9995
US|602|Phoenix|AZ|85003|33.4511|-112.0764
US|206|Seattle|WA|98101|47.6114|-122.3305
US|503|Portland|OR|97204|45.5184|-122.6740
US|415|San Francisco|CA|94103|37.7725|-122.4147
US|510|Oakland|CA|94607|37.8053|-122.2940
US|213|Los Angeles|CA|90012|34.0614|-118.2385
CA|416|Toronto|ON|M5H|43.6500|-79.3840
CA|604|Vancouver|BC|V6B|49.2790|-123.1150
CA|514|Montreal|QC|H3B|45.5010|-73.5680
GB|20|London||EC1A|51.5200|-0.1000
GB|161|Manchester||M2|53.4800|-2.2450
""".strip().split("\n")]
TOLL_FREE = {"US": ("800", "833", "844", "855", "866", "877", "888"), "CA": ("822", "880"), "GB": ("800", "808")}
MOBILE = {"GB": ("7400", "7700")}
COUNTRIES = ("US", "CA", "GB")
KEYPAD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")
# Digits and letters, * for any one; + and % before them, % and $ behind them.
PATTERN = re.compile(r"(\+?)(%?)([0-9A-Za-z*]*)(%?)(\$?)")


class Wrong(Exception):
    """What Twilio does not let one ask; the text is its code."""


def _number(country, area, line):
    """E.164; the last four digits are none that choose what happens."""
    if country != "GB":
        return f"+1{area}555{1000 + line:04}"
    return f"+44{area}{'5' * max(1, 6 - len(area))}{1000 + line:04}"


def friendly(number):
    """As people read it."""
    if number.startswith("+1") and len(number) == 12:
        return f"({number[2:5]}) {number[5:8]}-{number[8:]}"
    return number


def _entry(number, country, kind, line, place=None):
    plain = line % 10 != 9
    local = place is not None
    return {"phone_number": number, "friendly_name": friendly(number), "kind": kind, "area": place.area if local else None,
            "lata": "224" if local and country == "US" else None, "locality": place.locality if local else None,
            "rate_center": place.locality.replace(" ", "").upper()[:10] if local else None,
            "latitude": f"{float(place.latitude):.6f}" if local else None,
            "longitude": f"{float(place.longitude):.6f}" if local else None,
            "region": place.region or None if local else None, "postal_code": place.postal if local else None,
            "iso_country": country, "address_requirements": "local" if country == "GB" and local and line % 20 == 19 else "none",
            "beta": False, "capabilities": {"voice": True, "sms": plain, "mms": plain and country != "GB", "fax": False}}


def _make(country, kind):
    if kind == "Local":
        made = [_entry(_number(country, p.area, n), country, kind, n, p) for p in PLACES if p.country == country for n in range(LINES)]
    else:
        areas = (TOLL_FREE if kind == "TollFree" else MOBILE).get(country, ())
        made = [_entry(_number(country, area, n), country, kind, n) for area in areas for n in range(LINES)]
    random.Random(SEED).shuffle(made)
    made.sort(key=lambda one: not one["capabilities"]["sms"])
    return made


STOCK = {(country, kind): _make(country, kind) for country in COUNTRIES for kind in KINDS}
BY_NUMBER = {one["phone_number"]: one for made in STOCK.values() for one in made}
# Those of the recorded requests: bought by their names, and no search shows them.
HIDDEN = {f"+1555010000{n}": _entry(f"+1555010000{n}", "US", "Local", n, PLACES[0]) for n in range(1, 9)}
BY_NUMBER |= HIDDEN


def stocked(country, kind, limit):
    """What can be had at all: limit is null, so many of each country and kind, or the very numbers."""
    if isinstance(limit, list):
        return [one for one in STOCK[country, kind] if one["phone_number"] in limit]
    return STOCK[country, kind] if limit is None else STOCK[country, kind][:int(limit)]


def pattern(text):
    """A regular expression over the digits of a number, from what Contains says."""
    found = PATTERN.fullmatch(text.replace("%2B", "+").replace(" ", "+"))
    if not 2 <= len(text) <= 16 or not found:
        raise Wrong(22101)
    first, _, middle, _, last = found.groups()
    if len(middle.replace("*", "")) < 2:
        raise Wrong(22102)
    middle = middle.upper().translate(KEYPAD).replace("*", "[0-9]")
    return re.compile(("^" if first else "") + middle + ("$" if last else ""))


def area_code(text, country):
    """Whether there can be such an area code."""
    if country not in ("US", "CA") or not re.fullmatch(r"[2-9][0-9]{2}", text):
        raise Wrong(21451)
    return text


def _miles(one, lat, lon):
    a, b, c, d = map(math.radians, (float(one["latitude"]), float(one["longitude"]), lat, lon))
    return 3959 * math.acos(min(1.0, math.sin(a) * math.sin(c) + math.cos(a) * math.cos(c) * math.cos(b - d)))


def _near(query):
    """Where NearNumber or NearLatLong is, or None."""
    if "NearNumber" in query:
        at = BY_NUMBER.get(query["NearNumber"])
        if at is None or at["latitude"] is None:
            raise Wrong(21421)
        return float(at["latitude"]), float(at["longitude"])
    if "NearLatLong" in query:
        try:
            lat, lon = map(float, query["NearLatLong"].split(","))
        except ValueError as e:
            raise Wrong(20001) from e
        return lat, lon
    return None


def _says(query, name):
    return query.get(name, "").lower() in ("true", "1")


def search(query, country, one):
    """Whether a number is one that is looked for; query: as Twilio names it."""
    if "AreaCode" in query and one["phone_number"][2:5] != area_code(query["AreaCode"], country):
        return False
    if "Contains" in query and not pattern(query["Contains"]).search(one["phone_number"][1:]):
        return False
    for name, key in (("InRegion", "region"), ("InLocality", "locality"), ("InPostalCode", "postal_code"),
                      ("InRateCenter", "rate_center"), ("InLata", "lata")):
        if query.get(name) and query[name].lower() != (one[key] or "").lower():
            return False
    for name, key in (("SmsEnabled", "sms"), ("MmsEnabled", "mms"), ("VoiceEnabled", "voice"), ("FaxEnabled", "fax")):
        if query.get(name) and one["capabilities"][key] != _says(query, name):
            return False
    for name, kinds in (("All", ("any", "local", "foreign")), ("Local", ("local",)), ("Foreign", ("foreign",))):
        if _says(query, f"Exclude{name}AddressRequired") and one["address_requirements"] in kinds:
            return False
    at = _near(query)
    return at is None or (one["latitude"] is not None and _miles(one, *at) <= float(query.get("Distance", 25)))


def check(query, country):
    """Wrong where a filter makes no sense, also while there is nothing to look through."""
    if "AreaCode" in query:
        area_code(query["AreaCode"], country)
    if "Contains" in query:
        pattern(query["Contains"])
    _near(query)


def shown(one, capitals=False):
    """As a search answers it; capitals: SMS and MMS, as some of Twilio's examples have it."""
    out = {k: v for k, v in one.items() if k not in ("kind", "area")}
    if capitals:
        out["capabilities"] = {k.upper() if k in ("sms", "mms") else k: v for k, v in one["capabilities"].items()}
    return out
