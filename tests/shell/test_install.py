"""What `make install` puts where, and that `make uninstall` takes all of it away again."""

import os
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
BUILD = os.environ.get("HOOKSWITCH_BUILD_DIR")
PREFIX = Path("usr/local")

pytestmark = pytest.mark.skipif(not BUILD, reason="HOOKSWITCH_BUILD_DIR is not set")


def make(target, root):
    # The flags of an outer make are not for this one.
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    subprocess.run(["make", "-C", BUILD, "--no-print-directory", target, f"DESTDIR={root}"], check=True,
                   capture_output=True, env=environment)


def files(root):
    return {str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir()}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    make("install", root)
    return root


def test_each_program_is_installed(installed):
    wanted = {p.stem for p in (TOP / "handlers").glob("*.c")}
    found = {p.name for p in (installed / PREFIX / "libexec/hookswitch").iterdir()}
    assert found == wanted


def test_the_migrations_are_installed_and_their_command_finds_them(installed):
    share = installed / PREFIX / "share/hookswitch/sql"
    for kind in ("migrations", "functions"):
        assert {p.name for p in (share / kind).iterdir()} == {p.name for p in (TOP / "sql" / kind).iterdir()}
    command = installed / PREFIX / "bin/hookswitch-migrate"
    assert os.access(command, os.X_OK)
    assert f"/{PREFIX}/share/hookswitch/sql" in command.read_text()


def test_the_configurations_name_the_installed_programs(installed):
    share = installed / PREFIX / "share/hookswitch/nginx"
    assert f"ExecStart=/{PREFIX}/libexec/hookswitch/%i" in (share / "systemd/hookswitch@.service").read_text()
    assert f"/{PREFIX}/share/hookswitch/nginx/trigger-pump" in (share / "cron.example").read_text()
    assert "listen 80;" in (share / "hookswitch.conf").read_text()


def test_uninstall_leaves_nothing(tmp_path):
    make("install", tmp_path)
    assert files(tmp_path)
    make("uninstall", tmp_path)
    assert files(tmp_path) == set()
    assert not list(tmp_path.rglob("hookswitch*"))
