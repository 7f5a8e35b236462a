"""Fixtures of the whole-stack tests: one stack for each file of tests, as new for each test."""

import os

import pytest

FULL = os.environ.get("HOOKSWITCH_TEST_FULL") == "1"


@pytest.fixture(scope="session")
def full():
    """Whether large forms are wanted (./dev test --full)."""
    return FULL


def _stack(factory, name, **options):
    if not os.environ.get("HOOKSWITCH_TEST_DATABASE_URL"):
        pytest.skip("no cluster for tests at hand (./dev test makes one)")
    from stack import Stack
    return Stack(factory.mktemp(name), **options)


@pytest.fixture(scope="module")
def stack_of_file(tmp_path_factory):
    """The FastCGI programs behind nginx."""
    with _stack(tmp_path_factory, "stack") as running:
        yield running


@pytest.fixture(scope="module")
def cgi_stack_of_file(tmp_path_factory):
    """The same programs as plain CGI."""
    with _stack(tmp_path_factory, "cgi", cgi=True) as running:
        yield running


@pytest.fixture(scope="module")
def plain_stack(tmp_path_factory):
    """Programs without sanitizers, whose memory says something."""
    if not os.environ.get("HOOKSWITCH_TEST_DATABASE_URL"):
        pytest.skip("no cluster for tests at hand (./dev test makes one)")
    from stack import build_dir
    plain = build_dir("HOOKSWITCH_PLAIN_BUILD_DIR")
    if not (plain / "handlers" / "calls").exists():
        pytest.skip("there is no plain build")
    with _stack(tmp_path_factory, "plain", build=plain) as running:
        yield running


@pytest.fixture
def stack(request):
    """A whole stack without calls, providers or people.  A file of tests that says BOTH_WAYS gets each of its tests
    with the FastCGI programs and with the same programs as plain CGI."""
    way = getattr(request, "param", "fastcgi")
    running = request.getfixturevalue("stack_of_file" if way == "fastcgi" else "cgi_stack_of_file")
    running.reset()
    return running


@pytest.fixture
def cgi_stack(cgi_stack_of_file):
    """The same below fcgiwrap."""
    cgi_stack_of_file.reset()
    return cgi_stack_of_file


@pytest.fixture
def alice(stack):
    """A person with an organization of her own."""
    return stack.user("alice")


@pytest.fixture
def bob(stack):
    """Another one, a stranger to alice."""
    return stack.user("bob")


@pytest.fixture(scope="module")
def trial_of_file(tmp_path_factory):
    """The engine with a workflow of the tests' own, and a stand-in provider."""
    if not os.environ.get("HOOKSWITCH_TEST_DATABASE_URL"):
        pytest.skip("no cluster for tests at hand (./dev test makes one)")
    from trial import Trial
    from trial_provider import Provider
    with Provider() as provider, Trial(tmp_path_factory.mktemp("trial"), provider) as running:
        yield running


@pytest.fixture
def trial(trial_of_file):
    """The same without runs."""
    trial_of_file.reset()
    return trial_of_file
