"""Two tenants at once: thousands of mixed requests, each answer compared with a model of what that tenant has done.

Nothing of the other is ever seen: every id, number and word of an answer is looked up among the other's.
HOOKSWITCH_TEST_SEED gives the seed of a run again; HOOKSWITCH_TEST_REQUESTS another number of requests.
"""

import os
import random as randomness
import time
from collections import Counter

import pytest

from model_assistants import Assistants
from model_billing import Billing
from model_calls import Calls
from model_contacts import Contacts
from model_organizations import Organizations
from model_phone_numbers import PhoneNumbers
from model_templates import Templates
from model_tenants import Side, pair, step
from model_voices import Voices

# The nouns that take part.
NOUNS = [Assistants, Billing, Calls, Contacts, Organizations, PhoneNumbers, Templates, Voices]


@pytest.fixture
def seed():
    """Printed, so that a failure can be had again."""
    chosen = int(os.environ.get("HOOKSWITCH_TEST_SEED") or time.time_ns() % 10 ** 9)
    print(f"HOOKSWITCH_TEST_SEED={chosen}")
    return chosen


@pytest.fixture
def sides(stack, seed):
    """alice's organization and bob's; owners, keys, a member and a viewer act for each, and one person for both."""
    random = randomness.Random(seed)
    stack.provider("vapi")
    both = pair(Side(stack, random, stack.user("alice"), 201), Side(stack, random, stack.user("bob"), 301))
    guest = stack.user("guest")
    for side in both:
        side.acts(side.person)
        side.acts(stack.api_key(side.organization))
        for role, who in (("member", stack.user(f"member of {side.person.name}")), ("viewer", stack.user(f"viewer of {side.person.name}")),
                          ("member", guest)):
            stack.sql("insert into organization_members (organization_id, user_id, role) values (%s, %s, %s)", side.organization, who.id, role)
            side.acts(who.with_headers(X_Organization_Id=side.organization), reads=role == "viewer")
        side.owners = side.strangers = side.writers[:2]
    for side, noun in ((side, noun) for noun in NOUNS for side in both):
        side.nouns[noun] = noun(side)
    return both


def rows_of(side):
    """How many calls the database holds for a tenant."""
    return side.stack.count("calls", "organization_id = %s", side.organization)


def test_two_tenants_never_see_each_other(sides, seed, full):
    random, did = sides[0].random, Counter()
    for number in range(int(os.environ.get("HOOKSWITCH_TEST_REQUESTS") or (20000 if full else 3500))):
        try:
            did[step(sides, NOUNS, random)] += 1
        except AssertionError as wrong:
            raise AssertionError(f"request {number} of HOOKSWITCH_TEST_SEED={seed}: {wrong}") from wrong
    for side in sides:
        assert rows_of(side) == len(side.nouns[Calls].calls)
    never = {name for noun in NOUNS for name in noun.operations} - set(did)
    assert not never, f"never asked: {never}"
