"""A released lake beside a tree of contracts of its own, and an officer who reviews them, for tests of contracts' lives."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import contracts
from contracts import load
from jobs.run.asking import Question
from jobs.run.contract_review import review
from jobs.settings import Settings
from tests import small_lake
from tests.integration.airflow_stand_in import Users, serving

OFFICER = "officers-token"


@dataclass(frozen=True)
class House:
    """A lake in production, and the folder of its contracts."""

    settings: Settings
    folder: Path

    @property
    def trying(self) -> Settings:
        """The same lake, for development."""
        return self.settings.model_copy(update={"environment": "development"})

    def edit(self, file: str, *edits: tuple[str, str]) -> None:
        """Edit a contract, each text once."""
        path = self.folder / file
        said = path.read_text("utf-8")
        for before, after in edits:
            assert before in said
            said = said.replace(before, after, 1)
        self.write(file, said)

    def write(self, file: str, said: str) -> None:
        """Write a contract."""
        (self.folder / file).write_text(said, "utf-8")
        load._catalog.cache_clear()
        load._tables.cache_clear()

    def approve(self, *names: str) -> None:
        """Let an officer approve contracts."""
        for name in names:
            review(self.settings, name, True, "lawful", "", question(OFFICER))


def question(token: str = OFFICER) -> Question:
    """What an officer gives on standard input."""
    return Question(json.dumps({"token": token}).encode())


def housed(small_release: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A house whose officer's Airflow answers."""
    own = folder / "own" / "contracts"
    shutil.copytree(Path(contracts.__file__).parent, own, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for module in ("load", "life", "objections"):
        monkeypatch.setattr(f"contracts.{module}.folders", lambda: (own,))
    made = small_lake.copy(small_release, folder / "home").model_copy(update={"environment": "production"})
    with serving(Users()) as address:
        monkeypatch.setenv("CONCORD_CONNECTION_CONCORD_AIRFLOW", json.dumps({"base_url": address}))
        yield House(made, own)
