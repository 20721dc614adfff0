"""A lake with two releases and two extracts, between which both keys of their pseudonyms were rotated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from jobs.ledger import releases
from jobs.read import released
from jobs.run import epochs, key_epochs
from jobs.run.asking import Question
from jobs.run.key_epochs import overview, rotate
from jobs.run.product import build
from jobs.run.release import release
from jobs.settings import Settings
from tests import small_lake
from tests.integration.airflow_stand_in import Run, Users, serving
from tests.integration.test_extract import RECIPIENT, bucket, filled, names
from tests.integration.test_recall import delivered, first

__all__ = ["bucket", "first"]

DOMAIN, GROUP, GLUCOSE = "engagement", "engagement", "glucose_daily"
OFFICER = Question(b'{"token": "officers-token"}')
SAID = datetime(2026, 10, 9, 12, tzinfo=UTC)


class Airflow(Run):
    """Knows runs and who holds a token."""

    def __init__(self) -> None:
        super().__init__()
        self.users = Users()

    def reply(self, path: str, authorization: str) -> tuple[int, Any]:
        """Status and JSON of a route."""
        asks_who = path.startswith(("/ui/auth/me", "/auth/fab/v1/users/"))
        return self.users.reply(path, authorization) if asks_who else super().reply(path, authorization)


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Airflow]:
    with connected(monkeypatch) as run:
        yield run


@contextmanager
def connected(patch: pytest.MonkeyPatch) -> Iterator[Airflow]:
    """An Airflow that commands know."""
    run = Airflow()
    with serving(run) as address:
        patch.setenv("CONCORD_CONNECTION_CONCORD_AIRFLOW",
                     json.dumps({"base_url": address, "login": "concord", "password": "x", "ca_file": ""}))
        yield run


@dataclass(frozen=True)
class Rotated:
    """Release 1 and an extract of epoch 1; both keys rotated; release 2 and an extract of epoch 2; what the bucket holds; and
    what was seen between the rotation and the builds."""

    home: Settings
    extracts: tuple[str, str]
    objects: dict[str, bytes]
    between: dict[str, Any]


@pytest.fixture(scope="module")
def rotated(first: Any, tmp_path_factory: pytest.TempPathFactory, bucket: str) -> Rotated:
    home = small_lake.copy(first.home, tmp_path_factory.mktemp("rotated") / "home")
    with (pytest.MonkeyPatch.context() as patch, connected(patch) as run, filled(bucket, patch, first.objects) as client):
        told = rotate(home, DOMAIN, OFFICER)
        assert rotate(home, RECIPIENT, OFFICER).facts["epoch"] == 2
        waits = release(home, GROUP)
        between = {"told": told, "waits": waits.facts["waiting_for"], "result": waits.result, "rows": people(home, 1)}
        for product in catalog().products:
            build(home, product)
        assert release(home, GROUP).facts["number"] == 2
        second = delivered(home, run, "second")
        objects = {key: client.get_object(Bucket="glycemia-institute", Key=key)["Body"].read() for key in names(client)}
    return Rotated(home, (first.extract_id, second), objects, between)


@pytest.fixture
def home(rotated: Rotated, tmp_path: Path) -> Settings:
    return small_lake.copy(rotated.home, tmp_path / "home")


def lake(home: Settings) -> small_lake.Lake:
    return small_lake.Lake(home.lake_root, catalog().tables)


def vault(home: Settings, domain: str, epoch: int) -> dict[str, str]:
    """Pseudonyms of an epoch by person key."""
    return {r["person_key"]: r["pseudonym"] for r in lake(home).arrow(epochs.PSEUDONYM).to_pylist()
            if (r["domain"], r["epoch"]) == (domain, epoch)}


def people(home: Settings, number: int) -> set[str]:
    """The pseudonyms that a reader finds in a release."""
    return set(released(GLUCOSE, number, home).arrow()["person_id"].to_pylist())


def person(home: Settings, name: str) -> str:
    return next(r["person_key"] for r in lake(home).arrow("vault.link").to_pylist() if r["source_person_id"] == name)


def states(home: Settings) -> dict[tuple[str, int], str]:
    return {(row["domain"], row["epoch"]): row["state"] for row in overview(home)}


def forgotten(home: Settings, patch: pytest.MonkeyPatch) -> None:
    """Let retention have taken release 1 away, and the extract of epoch 1 have expired."""
    old = [pin for pin in releases.of(lake(home), GROUP) if pin["number"] == 1]
    releases.unpin(lake(home), old)
    later(patch, catalog().recipients[RECIPIENT].expires_after_days + 1)


def later(patch: pytest.MonkeyPatch, days: int) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(days=days)

    patch.setattr(key_epochs, "datetime", Clock)


def said(name: str, token: str = "officers-token") -> Question:  # noqa: S107
    return Question(json.dumps({"pseudonym": name, "reason": "a report of harm", "token": token}).encode())


class Killed(BaseException):
    """What nothing of ours catches."""


def dies(*_: Any, **__: Any) -> None:
    raise Killed
