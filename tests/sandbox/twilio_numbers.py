"""Twilio: numbers that can be had, and those that an account has."""
import re
import secrets

from aiohttp import web

import twilio_stock as stock
from faults import Reply
from twilio_base import NUMBER, VERSION, Held, Part, date, fail, now, page, path_of

# As a request names it: as an answer does.
FIELDS = {"FriendlyName": "friendly_name", "VoiceUrl": "voice_url", "VoiceMethod": "voice_method",
          "VoiceFallbackUrl": "voice_fallback_url", "VoiceFallbackMethod": "voice_fallback_method",
          "StatusCallback": "status_callback", "StatusCallbackMethod": "status_callback_method", "SmsUrl": "sms_url",
          "SmsMethod": "sms_method", "SmsFallbackUrl": "sms_fallback_url", "SmsFallbackMethod": "sms_fallback_method",
          "VoiceApplicationSid": "voice_application_sid", "SmsApplicationSid": "sms_application_sid", "TrunkSid": "trunk_sid",
          "AddressSid": "address_sid", "BundleSid": "bundle_sid", "IdentitySid": "identity_sid",
          "EmergencyStatus": "emergency_status", "EmergencyAddressSid": "emergency_address_sid",
          "VoiceReceiveMode": "voice_receive_mode"}
URLS = [name for name in FIELDS if name.endswith("Url") or name == "StatusCallback"]
UNSET = {"address_sid": None, "bundle_sid": None, "emergency_address_sid": None, "emergency_status": "Active", "identity_sid": None,
         "sms_application_sid": None, "sms_fallback_method": "POST", "sms_fallback_url": "", "sms_method": "POST", "sms_url": "",
         "status_callback": "", "status_callback_method": "POST", "trunk_sid": None, "voice_application_sid": None,
         "voice_fallback_method": "POST", "voice_fallback_url": None, "voice_method": "POST", "voice_receive_mode": "voice",
         "voice_url": None}
# What an account keeps of a number for itself, and no answer shows.
OWN = ("account", "created", "updated", "listed_at")
URL = re.compile(r"https?://[^\s/]+(/\S*)?")


def held(account, number, lag=0.0):
    """A number that an account has from now on."""
    entry = stock.BY_NUMBER.get(number, {"kind": "Local", "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
                                         "address_requirements": "none"})
    at = now()
    return Held(UNSET, sid="PN" + secrets.token_hex(16), phone_number=number, friendly_name=stock.friendly(number), account=account,
                created=at, updated=at, listed_at=at + lag, type=stock.KINDS[entry["kind"]], capabilities=dict(entry["capabilities"]),
                address_requirements=entry["address_requirements"])


def change(one, form):
    """Set what a form names; answers what is wrong with it, or None."""
    for name in URLS:
        if form.get(name) and not URL.fullmatch(form[name]):
            return fail(21402, to=form[name])
    if len(form.get("FriendlyName", "")) > 64:
        return fail(20001)
    for name in FIELDS.keys() & form.keys():
        one[FIELDS[name]] = form[name]
    one.updated = now()
    return None


def view(one):
    """A number as the API shows it."""
    uri = f"/{VERSION}/Accounts/{one.account}/IncomingPhoneNumbers/{one.sid}"
    return {**{k: v for k, v in one.items() if k not in OWN}, "account_sid": one.account, "api_version": VERSION, "beta": False,
            "date_created": date(one.created), "date_updated": date(one.updated), "emergency_address_status": "unregistered",
            "origin": "twilio", "status": "in-use", "uri": uri + ".json", "voice_caller_id_lookup": False,
            "subresource_uris": {"assigned_add_ons": uri + "/AssignedAddOns.json"}}


class Numbers(Part):
    """AvailablePhoneNumbers and IncomingPhoneNumbers."""

    def __init__(self, state, sender, _hooks):
        super().__init__(state, sender)

    def routes(self):
        """All routes, for the application."""
        at = f"/twilio/{VERSION}/Accounts/{{account}}/"
        one = at + "IncomingPhoneNumbers/{sid}.json"
        return [web.get(at + "AvailablePhoneNumbers/{country}/{kind}.json", self.search),
                web.post(at + "IncomingPhoneNumbers.json", self.buy), web.get(at + "IncomingPhoneNumbers.json", self.list),
                web.get(one, self.get), web.post(one, self.update), web.delete(one, self.release)]

    # ---- what can be had ---------------------------------------------------

    def _free(self, country, kind):
        limit = self.state.settings["twilio_stock"]
        return [one for one in stock.stocked(country, kind, limit) if one["phone_number"] not in self.state.numbers]

    async def search(self, request):
        """GET AvailablePhoneNumbers/{CC}/{Local|TollFree|Mobile}.json: one page."""
        query = request.query
        what = query.get("AreaCode") or query.get("Contains")
        return await self.answer(request, "search", what, lambda act: self._search(request))

    def _search(self, request):
        country, kind, query = request.match_info["country"], request.match_info["kind"], request.query
        if not stock.STOCK.get((country, kind)):
            return fail(20404, path=path_of(request))
        try:
            stock.check(query, country)
            found = [one for one in self._free(country, kind) if stock.search(query, country, one)]
            size, number = int(query.get("PageSize", 50)), int(query.get("Page", 0))
        except stock.Wrong as e:
            return fail(e.args[0])
        except ValueError:
            return fail(20001)
        if not 1 <= size <= 1000:
            return fail(20001)
        found = self._turned(found)[number * size:(number + 1) * size]
        capitals = self.state.settings["twilio_capitals"]
        return Reply(200, {"uri": str(request.rel_url).removeprefix("/twilio"),
                           "available_phone_numbers": [stock.shown(one, capitals) for one in found]})

    def _turned(self, found):
        """Each search begins elsewhere, where a setting says so, as Twilio's do; else always with the first that is free."""
        store = self.state.twilio
        store.searches += 1
        at = store.searches * 7 % len(found) if found and self.state.settings["twilio_turns"] else 0
        return found[at:] + found[:at]

    async def buy(self, request):
        """POST IncomingPhoneNumbers.json.  Twilio knows no key, but nobody has a number twice."""
        form = await request.post()
        asked = form.get("PhoneNumber") or form.get("AreaCode")
        return await self.answer(request, "buy", asked, lambda act: self._buy(request, form, None))

    def _buy(self, request, form, kind):
        number, account = form.get("PhoneNumber"), request.match_info["account"]
        try:
            if kind and form.get("AreaCode"):
                raise stock.Wrong(21457)
            entry = self._named(number) if number else self._any(form.get("AreaCode"))
        except stock.Wrong as e:
            return fail(e.args[0], to=number or form.get("AreaCode", ""))
        most = self.state.settings["twilio_numbers_limit"]
        if most is not None and sum(one.account == account for one in self.state.numbers.values()) >= most:
            return fail(21404, to=most)
        if entry["address_requirements"] != "none" and not form.get("AddressSid"):
            return fail(21631)
        one = held(account, entry["phone_number"], self.state.settings["list_lag"])
        wrong = change(one, form)
        if wrong:
            return wrong
        self.state.numbers[one.phone_number] = one
        self.state.twilio.purchases[one.phone_number] += 1
        return Reply(201, view(one))

    def _named(self, number):
        """A number that can be had."""
        if not NUMBER.fullmatch(number):
            raise stock.Wrong(21421)
        entry = stock.BY_NUMBER.get(number)
        if entry is None or number in self.state.numbers or (
                number not in stock.HIDDEN and entry not in stock.stocked(entry["iso_country"], entry["kind"], self.state.settings["twilio_stock"])):
            raise stock.Wrong(21422)
        return entry

    def _any(self, area):
        """The first of an area code."""
        if area is None:
            raise stock.Wrong(21421)
        for country in ("US", "CA"):
            for one in self._free(country, "Local"):
                if one["area"] == stock.area_code(area, country):
                    return one
        stock.area_code(area, "US")
        raise stock.Wrong(21452)

    # ---- what an account has -----------------------------------------------

    async def list(self, request):
        """GET IncomingPhoneNumbers.json: oldest first, by PhoneNumber (or a part of it) and FriendlyName, in pages."""
        return await self.answer(request, "list_numbers", request.query.get("PhoneNumber"), lambda act: self._list(request))

    def _list(self, request):
        query = request.query
        found = [view(one) for one in list(self.state.numbers.values())
                 if one.account == request.match_info["account"] and one.listed_at <= now()
                 and re.search(query.get("PhoneNumber", "").replace(" ", "+").replace("+", r"\+").replace("*", "[0-9]"), one.phone_number)
                 and query.get("FriendlyName") in (None, one.friendly_name)]
        return Reply(200, page(request, "incoming_phone_numbers", found, lambda one: "PA" + one["sid"]))

    def _number(self, request):
        return next((one for one in self.state.numbers.values()
                     if (one.sid, one.account) == (request.match_info["sid"], request.match_info["account"])), None)

    async def _on(self, request, operation, work):
        """Something with one number, which rules know by the number."""
        found = self._number(request)

        def done(_act):
            one = self._number(request)
            return work(one) if one else fail(20404, path=path_of(request))

        return await self.answer(request, operation, found and found.phone_number, done)

    async def get(self, request):
        """GET IncomingPhoneNumbers/{sid}.json."""
        return await self._on(request, "get_number", lambda one: Reply(200, view(one)))

    async def update(self, request):
        """POST IncomingPhoneNumbers/{sid}.json; at /Local.json and its like it buys."""
        form = await request.post()
        kind = request.match_info["sid"]
        if kind in stock.KINDS:
            asked = form.get("PhoneNumber") or form.get("AreaCode")
            return await self.answer(request, "buy", asked, lambda act: self._buy(request, form, kind))
        return await self._on(request, "update", lambda one: change(one, form) or Reply(200, view(one)))

    async def release(self, request):
        """DELETE IncomingPhoneNumbers/{sid}.json: 204; anybody may buy it again."""
        def work(one):
            del self.state.numbers[one.phone_number]
            self.state.twilio.releases[one.phone_number] += 1
            return Reply(204, None)

        return await self._on(request, "release", work)
