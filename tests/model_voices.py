"""What one tenant knows of voices: which are on offer, which is everybody's to know, and what each of its people prefers."""

import uuid

ROOT = "/api/v1/voices"
OFFER = [("Elliot", "en", None), ("Emma", "en-US", "https://voices.example.com/emma.mp3"), ("Klaus", "de-DE", None), ("Soleil", "fr", None)]


class Voices:
    """The voices on offer, and the wishes of this side's person."""

    operations = {"list": 2, "get": 1, "preview": 1, "sample": 1, "prefer": 2, "prefer_nothing_there": 1, "preferred": 3, "by_key": 1}

    def __init__(self, side):
        self.side, self.random, stack = side, side.random, side.stack
        if not stack.count("voice_options"):
            for name, language, preview in OFFER:
                stack.insert("voice_options", voice_id=name, name=name, language=language, preview_url=preview)
        self.voices = {v.name: str(v.id) for v in stack.sql("select id, name from voice_options")}
        self.wishes = {"default_voice_id": None, "languages": []}

    def some(self):
        """A voice: (name, language, preview)."""
        return self.random.choice(OFFER)

    def list(self):
        name, language, _ = self.some()
        found = self.side.ask("GET", ROOT, language=language.split("-", maxsplit=1)[0], limit=100).json()["data"]
        wanted = sorted(n for n, other, _ in OFFER if other.split("-", maxsplit=1)[0] == language.split("-", maxsplit=1)[0])
        assert [v["name"] for v in found] == wanted and name in wanted, found

    def get(self):
        name, language, preview = self.some()
        found = self.side.ask("GET", f"{ROOT}/{self.voices[name]}").json()
        assert (found["name"], found["language"], found["preview_url"]) == (name, language, preview), found

    def preview(self):
        name, _, preview = self.some()
        answer = self.side.ask("GET", f"{ROOT}/{self.voices[name]}/preview")
        if not preview:
            return self.side.refused(answer, 409, "voice_sample_unavailable")
        assert answer.json() == {"voice_id": self.voices[name], "voice_name": name, "preview_url": preview}, answer.text
        return None

    def sample(self):
        name, _, preview = self.some()
        answer = self.side.ask("POST", f"{ROOT}/{self.voices[name]}/sample", {"text": self.side.word}, key=self.side.pick_key())
        if answer is None:
            return None
        if not preview:
            return self.side.refused(answer, 409, "voice_sample_unavailable")
        assert answer.json() == {"voice_id": self.voices[name], "voice_name": name, "sample_url": preview, "generated": False}, answer.text
        return None

    def prefer(self):
        wish = {"default_voice_id": self.random.choice([None, *self.voices.values()]),
                "languages": [{"language": one, "voice_id": self.random.choice(list(self.voices.values()))}
                              for one in sorted(self.random.sample(["de", "en", "fr", "pt-br"], self.random.randrange(4)))]}
        answer = self.side.ask("PUT", ROOT + "/preferences", wish, by=[self.side.person])
        assert answer.status_code == 200 and answer.json() == wish, answer.text
        self.wishes = wish

    def prefer_nothing_there(self):
        answer = self.side.ask("PUT", ROOT + "/preferences", {"default_voice_id": str(uuid.uuid4())}, by=[self.side.person])
        self.side.refused(answer, 422, "voice_not_found")

    def preferred(self):
        assert self.side.ask("GET", ROOT + "/preferences", by=[self.side.person]).json() == self.wishes

    def by_key(self):
        """A key is no person."""
        self.side.refused(self.side.ask("GET", ROOT + "/preferences", by=self.side.writers[1:2]), 403, "person_needed")
