"""One sandbox for all of its own tests, fresh for each, with short calls."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import client  # noqa: E402 - found by the line above
from sandbox_helpers import Receiver, Synthflow, Vapi  # noqa: E402


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    """One sandbox for all tests."""
    with client.Process(tmp_path_factory.mktemp("sandbox")) as box:
        yield box


@pytest.fixture
def box(running):
    """The sandbox, fresh, with short calls."""
    running.reset(durations={"queued": 0.02, "ringing": 0.02, "in_progress": 0.02,
                             "report": 0.02})
    return running


@pytest.fixture
def receiver():
    """Somebody who takes webhooks."""
    one = Receiver()
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture
def vapi(box, receiver):
    """A client of Vapi."""
    return Vapi(box, receiver)


@pytest.fixture
def synthflow(box, receiver):
    """A client of SynthFlow."""
    return Synthflow(box, receiver)
