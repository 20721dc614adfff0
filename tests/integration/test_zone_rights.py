"""Zone rights on a disk: who is in the readers' group reads what was released, whoever wrote it, and nothing else."""

from __future__ import annotations

import errno
import grp
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from contracts import catalog
from contracts.zones import is_open
from jobs.errors import ConfigurationError, LakeError
from jobs.files import Files
from jobs.lake import Lake
from jobs.read import released
from jobs.run.release import release
from jobs.settings import Settings
from jobs.zones import ACL, INHERITED, blocked, secure
from tests import small_lake
from tests.integration.test_lake_s3 import wait_for
from tests.integration.test_release import more_readings

STRANGER = 64321
IS_ROOT = os.geteuid() == 0
# Root may give files to any group, others to one of their own.
GROUP = next(g.gr_gid for g in grp.getgrall() if g.gr_gid not in {0, os.getegid()}) if IS_ROOT else os.getgroups()[0]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def with_readers(home: Settings, group: str = str(GROUP)) -> Settings:
    return Settings(home=home.home, lake="", engine=home.engine, actor="test", readers_group=group)


@pytest.fixture
def private(small_release: Settings, tmp_path: Path) -> Settings:
    """A lake with a release that is its owner's alone."""
    return small_lake.copy(small_release, tmp_path / "home")


@dataclass(frozen=True)
class Shared:
    """A lake with readers, and what a stranger in their group could do there; None where we are not root."""

    home: Settings
    stranger: dict[str, Any] | None

    @property
    def root(self) -> Path:
        """The lake's folder."""
        return Path(self.home.lake_root)


@pytest.fixture(scope="module")
def shared(small_release: Settings) -> Iterator[Shared]:
    """The small lake, opened after its first release; a command built a second on an engine that is a process of its own.

    All of it is written under the umask of the command, what comes later under a wider one. The place is one that others may
    pass, as those of pytest are not.
    """
    place = Path(tempfile.mkdtemp(prefix="concord-"))
    before = os.umask(0o077)
    try:
        place.chmod(0o711)
        home = with_readers(small_lake.copy(small_release, place / "home"))
        lake = Lake(home.lake_root, catalog().tables)
        more_readings(home)
        build_on_a_server(home, place / "engine")
        release(home, "engagement")
        os.umask(0o022)  # As a server of somebody else's may have it.
        for name in catalog().tables:
            lake.ensure(name)
        Files(f"{home.lake_root}/_extracts/partner/e1").write("data.json", b"{}")
        yield Shared(home, stranger(home) if IS_ROOT else None)
    finally:
        os.umask(before)
        shutil.rmtree(place)


def build_on_a_server(home: Settings, ready: Path) -> None:
    """``concord build`` on ``concord engine``: both processes of their own."""
    environment = {**os.environ, "CONCORD_HOME": str(home.home), "CONCORD_LAKE": "", "CONCORD_READERS_GROUP": home.readers_group}
    engine = subprocess.Popen([sys.executable, "-m", "jobs", "engine", "--ready-file", str(ready)], env=environment,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(engine, ready.exists)
        subprocess.run([sys.executable, "-m", "jobs", "build", "glucose_daily"], check=True, capture_output=True,
                       env={**environment, "CONCORD_ENGINE": ready.read_text()})
    finally:
        engine.terminate()
        engine.wait(30)


def stranger(home: Settings) -> dict[str, Any]:
    files = "\n".join(str(path) for path in home.home.rglob("*") if path.is_file())
    done = subprocess.run([sys.executable, "-m", "tests.integration.reader", str(home.home), str(GROUP), str(STRANGER)], input=files,
                          capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def told(shared: Shared) -> dict[str, Any]:
    if shared.stranger is None:
        pytest.skip("only root may become another user; the modes are tested")
    return shared.stranger


def test_a_reader_reads_every_release_and_the_reports(shared: Shared) -> None:
    assert told(shared)["rows"]["glucose_daily"][:2] == [24, 36]
    assert all(len(rows) >= 2 for rows in told(shared)["rows"].values())


def test_a_reader_reads_no_other_table(shared: Shared) -> None:
    said = told(shared)["lake"]
    assert {name for name, answer in said.items() if answer == "NotReadable"} == {n for n in catalog().tables if not is_open(n)}
    assert {"core.consent", "vault.link", "safety.candidate", "raw.crm", "raw.crm__rejected", "raw.crm__refused", "raw.crm__deleted",
            "ledger.audit"} <= {name for name, answer in said.items() if answer == "NotReadable"}


def test_a_reader_opens_no_other_file_and_writes_none(shared: Shared) -> None:
    found = told(shared)
    files = {path for path in shared.home.home.rglob("*") if path.is_file()}
    readable = {str(path) for path in files if is_open_path(shared, path)}
    assert readable and set(found["opened"]) == readable
    assert {is_open_path(shared, Path(folder)) for folder in found["listed"]} == {True}
    assert found["written"] == []


def is_open_path(shared: Shared, path: Path) -> bool:
    """Whether a path of our home lies in a table that readers have."""
    if not path.is_relative_to(shared.root):
        return False
    name = ".".join(path.relative_to(shared.root).parts[:2])
    return name in catalog().tables and is_open(name)


def test_modes_follow_the_zone_table(shared: Shared) -> None:
    assert (mode(shared.root), mode(shared.root / "ledger")) == (0o710, 0o710)
    for name in ("raw", "core", "vault", "safety", "_work", "_extracts", "ledger/audit", "ledger/batch"):
        assert mode(shared.root / name) == 0o700, name
    for path in (p for top in ("product", "ledger/release", "ledger/superseded") for p in (shared.root / top, *(shared.root / top).rglob("*"))):
        assert (mode(path), path.stat().st_gid) == (0o2750 if path.is_dir() else 0o640, GROUP), path
    assert [p for p in shared.home.home.iterdir() if p.name != "lake" and p.is_dir() and mode(p) & 0o077] == []


def test_without_a_group_everything_is_private_again(shared: Shared, private: Settings, tmp_path: Path) -> None:
    secure(private, catalog().tables)
    assert {mode(folder) for folder in Path(private.lake_root).iterdir()} == {0o700}
    opened = with_readers(private)
    secure(opened, catalog().tables)
    assert os.getxattr(Path(private.lake_root) / "product", INHERITED) == ACL
    secure(private, catalog().tables)
    assert mode(Path(private.lake_root) / "product") == 0o700 and os.listxattr(Path(private.lake_root) / "product") == []


@pytest.mark.parametrize("readers", ["", str(GROUP)], ids=["private", "shared"])
def test_a_folder_that_was_opened_is_closed_with_a_warning(private: Settings, readers: str) -> None:
    home, root = with_readers(private, readers), Path(private.lake_root)
    secure(home, catalog().tables)
    for name in ("_work", "_extracts", "vault"):
        (root / name).chmod(0o755)
        with structlog.testing.capture_logs() as logs:
            secure(home, catalog().tables)
        assert mode(root / name) == 0o700
        assert [(entry["log_level"], entry["folder"], entry["mode"]) for entry in logs] == [("warning", str(root / name), "0755")]


def test_a_run_that_was_killed_while_it_opened_a_zone_is_made_good(private: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    home, product, given = with_readers(private), Path(private.lake_root) / "product", []
    product.chmod(0o2750)
    with monkeypatch.context() as patch:
        def killed(path: Path, user: int, group: int, chown: Callable[..., None] = os.chown) -> None:
            given.append(path)
            chown(path, user, group)
            if path.is_file() and path.is_relative_to(product):
                raise KeyboardInterrupt

        patch.setattr(os, "chown", killed)
        with pytest.raises(KeyboardInterrupt):
            secure(home, catalog().tables)
    assert mode(product) == 0o700 and given[-1].stat().st_gid == GROUP
    secure(home, catalog().tables)
    assert {path.stat().st_gid for path in product.rglob("*")} == {GROUP}
    assert {mode(path) for path in product.rglob("*")} == {0o2750, 0o640}


def test_a_disk_without_acls_is_said_and_stays_closed(private: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", unknown)
    with pytest.raises(ConfigurationError, match=r"ledger/release should have mode 2750.*ACLs"):
        secure(with_readers(private), [name for name in catalog().tables if name.startswith("ledger.")])
    assert mode(Path(private.lake_root) / "ledger" / "release") == 0o700


def test_settings_that_cannot_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="groupadd no_such"):
        secure(Settings(home=tmp_path, lake="", readers_group="no_such"), catalog().tables)
    with pytest.raises(ConfigurationError, match="zones policy"):
        secure(Settings(home=tmp_path, lake="s3://bucket", readers_group=str(GROUP)), catalog().tables)
    assert list(tmp_path.iterdir()) == []


def test_what_stands_in_the_readers_way_is_named(tmp_path: Path) -> None:
    lake = tmp_path / "shut" / "lake"
    lake.mkdir(parents=True)
    for folder in (lake, *lake.parents[:-1]):
        if folder.is_relative_to(tmp_path):
            folder.chmod(0o755)
    above = blocked(tmp_path, GROUP)  # pytest's own folder, perhaps.
    lake.parent.chmod(0o700)
    assert blocked(lake, GROUP) == (above or lake.parent)


def test_reading_makes_no_table(private: Settings, tmp_path: Path) -> None:
    superseded = Path(private.lake_root) / "ledger" / "superseded"
    shutil.rmtree(superseded)
    assert released("glucose_daily", settings=private).arrow().num_rows == 24
    with pytest.raises(LakeError, match="released are: none yet"):
        released("glucose_daily", settings=Settings(home=tmp_path / "new", lake=""))
    assert [path for top in (superseded, tmp_path / "new") for path in top.rglob("*") if path.is_file()] == []
