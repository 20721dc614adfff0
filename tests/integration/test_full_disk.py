"""A disk that fills while a candidate is built: the error says so, readers read on, and with room the build is done."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts.exit_codes import ExitCode
from tests import small_lake
from tests.integration.test_release import more_readings

ROOT = Path(__file__).resolve().parents[2]
SPARE = (0, 8, 20, 28)  # Kilobytes left: for nothing, for some files, for all but the last.


def namespace() -> list[str]:
    """The command that gives a process mounts of its own; skips where this system allows none."""
    for command in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        if shutil.which("unshare") and not subprocess.run([*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
                                                          capture_output=True, check=False).returncode:
            return command
    pytest.skip("this system lets nobody mount a small disk")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, engine: str) -> dict[str, Any]:
    command = namespace()
    made = small_lake.settings(tmp_path_factory.mktemp("disk"), engine)
    small_lake.fill(made)
    small_lake.released(made)
    more_readings(made)
    folder = tmp_path_factory.mktemp("small")
    done = subprocess.run([*command, sys.executable, "-m", "tests.integration.full_disk", made.home, folder, *map(str, SPARE)], cwd=ROOT,
                          capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_a_full_disk_is_said_and_readers_read_on(found: dict[str, Any]) -> None:
    for ended in found["full"]:
        assert ended["status"] == ExitCode.UNAVAILABLE, ended
        assert "no room left on a disk" in ended["said"] and "person-" not in ended["said"]
        assert ended["rows"] == 24
    assert len({ended["versions"] for ended in found["full"]}) == 1, "no candidate came of it"


def test_with_room_the_same_build_is_done(found: dict[str, Any]) -> None:
    assert found["roomy"] == [0, 0, 36]
