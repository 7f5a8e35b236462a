"""Clients that run on Node with packages from npm: found and installed once for all tests of a run, or skipped with the reason."""

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CLIENTS = Path(__file__).resolve().parent / "clients"
NO_NETWORK = re.compile(r"ENOTCACHED|ENOTFOUND|EAI_AGAIN|ECONN\w+|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT")
PATIENCE = 180


def program(*names):
    """The first of these that is installed; else the tests are skipped, and say why."""
    found = next(filter(None, map(shutil.which, names)), None)
    if not found:
        pytest.skip(f"SKIPPED: {names[0]} is not installed (Debian: nodejs and npm), so clients that we did not write were not tried")
    return found


def environment():
    """What Node needs of ours."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


def installed(factory):
    """A folder with the packages and the clients: out of npm's cache, or out of its registry where there is a network.  The processes of
    one run of pytest share it: the first of them makes it."""
    npm, base = program("npm"), factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "clients"
    with open(folder.parent / "clients.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(CLIENTS, folder)
            install(npm, folder)
            (folder / "installed").touch()
    return folder


def install(npm, folder):
    """npm ci."""
    done = subprocess.run([npm, "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1",
                           "--fetch-timeout=30000", "--loglevel=error"], cwd=folder, capture_output=True, text=True,
                          timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL)
    words = done.stdout + done.stderr
    if done.returncode and NO_NETWORK.search(words):
        pytest.skip(f"SKIPPED: npm has no network and no copy of the packages ({NO_NETWORK.search(words)[0]}), "
                    "so clients that we did not write were not tried")
    assert done.returncode == 0, words
