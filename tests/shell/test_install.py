"""What `make install` puts where, and that `make uninstall` takes all of it away again."""

import os
import re
import shutil
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


def test_what_the_programs_share_is_installed_where_they_look_for_it(installed):
    library = installed / PREFIX / "lib/hookswitch/libhookswitch.so"
    assert library.is_file()
    for program in (installed / PREFIX / "libexec/hookswitch").iterdir():
        told = subprocess.run(["readelf", "-d", program], check=True, capture_output=True, text=True).stdout
        assert re.search(rf"R(UN)?PATH.*\[\$ORIGIN:/{PREFIX}/lib/hookswitch[\]:]", told), f"{program.name} does not look there"


def test_a_program_runs_with_the_library_beside_it(installed, tmp_path):
    """As on hosting with plain CGI, where both are copied into one folder."""
    shutil.copy(installed / PREFIX / "libexec/hookswitch/status", tmp_path / "status.cgi")
    shutil.copy(installed / PREFIX / "lib/hookswitch/libhookswitch.so", tmp_path)
    environment = {**os.environ, "LD_BIND_NOW": "1"}
    told = subprocess.run([tmp_path / "status.cgi", "--describe"], check=True, capture_output=True, text=True, env=environment).stdout
    assert "/healthz" in told


def symbols(file, *options):
    listed = subprocess.run(["nm", *options, file], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1] for line in listed.splitlines() if re.match(r"[0-9a-f ]{17}[TUDBR] ", line)}


def test_what_is_shared_needs_nothing_that_is_not(installed):
    """Else each program would bring along what a few need."""
    wanted = symbols(installed / PREFIX / "lib/hookswitch/libhookswitch.so", "-D", "--undefined-only")
    ours = symbols(Path(BUILD) / "libhookswitch.a", "--defined-only")
    assert ours and wanted & ours == set()


def test_the_migrations_are_installed_and_their_command_finds_them(installed):
    share = installed / PREFIX / "share/hookswitch/sql"
    for kind in ("migrations", "functions"):
        assert {p.name for p in (share / kind).iterdir()} == {p.name for p in (TOP / "sql" / kind).iterdir()}
    command = installed / PREFIX / "bin/hookswitch-migrate"
    assert os.access(command, os.X_OK)
    assert f"/{PREFIX}/share/hookswitch/sql" in command.read_text()
    assert os.access(installed / PREFIX / "bin/hookswitch-numbers", os.X_OK)


def test_a_backup_can_be_checked_and_alarms_be_read_where_it_is_installed(installed):
    command = installed / PREFIX / "bin/hookswitch-check-backup"
    assert os.access(command, os.X_OK)
    told = subprocess.run([command], capture_output=True, text=True, check=False)
    assert told.returncode == 2 and "check-backup FILE" in told.stderr
    assert (installed / PREFIX / "share/hookswitch/nginx/alerts.yml").read_text() == (TOP / "nginx/alerts.yml").read_text()


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
