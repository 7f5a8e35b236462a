"""What the sandbox's Vapi has that is no call."""
import time
from collections import Counter


class Things:
    """What Vapi has: each is what its API shows, by its id, oldest first."""

    def __init__(self):
        self.assistants, self.numbers = {}, {}
        self.listed_at = {}
        self.requests = Counter()
        self.created, self.imports = Counter(), Counter()

    def add(self, kind, thing, lag):
        """One more; it comes into lists after lag seconds."""
        getattr(self, kind)[thing["id"]] = thing
        self.listed_at[thing["id"]] = time.time() + lag
