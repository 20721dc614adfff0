"""Somebody is forgotten between any two stages of a run: what follows, and the next whole run, have not a byte of theirs.

One lake goes through three runs. In each gap another person is forgotten, and after each stage every file outside the safety
zone is searched for all who were forgotten by then, so that what a later pass takes away hides nothing. What the source gives
has all of them, each time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from contracts import catalog
from jobs.connectors import Record
from jobs.errors import NotApproved
from jobs.ledger import releases
from jobs.run import freshness
from jobs.run import land as landing
from jobs.run.asking import Question
from jobs.run.conform import conform
from jobs.run.extract import deliver, prepare, record
from jobs.run.forget import forget
from jobs.run.life import FREE, STAGES
from jobs.run.maintain import maintain
from jobs.run.people import resolve
from jobs.run.product import build
from jobs.run.purge import purge
from jobs.run.recall import recall
from jobs.run.release import release
from jobs.run.retention import retention
from jobs.run.screen import screen
from jobs.run.train import train
from jobs.settings import Settings
from tests import small_lake
from tests.acceptance.canary import holding
from tests.integration.airflow_stand_in import Run, Users, serving
from tests.integration.test_extract import RECIPIENT, RUN, bucket, filled
from tests.integration.two_releases import GROUP, OFFICERS
from tests.landing import lake_of, tolerate

__all__ = ["bucket"]

SOURCE, AT = "adherence_app", "2026-10-01T08:00:00Z"
PREPARE, RECORD, DELIVER = "extract.prepare", "extract.record", "extract.deliver"
# Up to its release the first run is without extracts; a release waits where somebody was forgotten since its candidates were made.
FIRST = ("land", "conform", "screen", "purge", "link.train", "resolve", *(f"build.{product}" for product in catalog().products), "release")
LAST = (PREPARE, RECORD, DELIVER, "recall", "freshness", "retention", "maintain")
# What only tells, or puts right what was done by hand, is an officer's or an engineer's, and is no part of a run.
NO_PART = FREE - {"screen", "purge", "recall", "freshness", "retention", "maintain", "extract.record"} | {"replay.rejected"}
GAPS = [*(f"after {stage}" for stage in (*FIRST, *LAST))]


def name(person: int) -> str:
    return f"app-{person * 7919 % 9973:04d}-q{person:02d}"


def address(person: int) -> str:
    return f"mail.{person * 104729 % 99991:05d}.p{person:02d}@post.example"


def payloads(person: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the app knows of somebody; of every second one a reading is low enough for the safety screen."""
    who = name(person)
    yield "users", {"id": who, "updated_at": AT, "email": address(person), "email_verified": True, "country": "DE",
                    "birth_date": f"19{50 + person}-05-01", "given_name": "Kim"}
    for purpose, recipient in ((*((p, None) for p in small_lake.OPEN_PURPOSES), ("research", RECIPIENT))):
        yield "consents", {"id": f"{purpose}-{recipient}-{who}", "user_id": who, "purpose": purpose, "recipient": recipient,
                           "recorded_at": "2026-09-01T08:00:00Z", "updated_at": AT, "decision": "granted"}
    for n, value in enumerate((100, 40 if person % 2 else 150, "much")):  # The last one is rejected.
        yield "data_points", {
            "header": {"id": f"{who}-{n}", "creation_date_time": AT, "modified_date_time": AT, "user_id": who,
                       "schema_id": {"namespace": "omh", "name": "blood-glucose", "version": "4.0"},
                       "acquisition_provenance": {"source_name": "app", "modality": "sensed"}},
            "body": {"blood_glucose": {"unit": "mg/dL", "value": value}, "effective_time_frame": {"date_time": AT}}}


def records() -> Iterator[Any]:
    for person in range(len(GAPS) + 12):
        for stream, payload in payloads(person):
            key = payload["header"]["id"] if "header" in payload else payload["id"]
            yield Record(stream, f"{stream}/{key}", json.dumps(payload).encode(), False)
    yield "data_points", {"done": True}


@dataclass
class Runs:
    """A lake on its way through runs: who was forgotten in which gap, and what of them was found after which stage."""

    home: Settings
    extract_id: str = ""
    prepared: int = 0
    run: Run = field(default_factory=Run)
    gone: dict[str, list[bytes]] = field(default_factory=dict)
    found: dict[str, list[str]] = field(default_factory=dict)
    was: dict[str, int] = field(default_factory=dict)

    def stages(self) -> dict[str, Callable[[], Any]]:
        """What each stage is here."""
        made: dict[str, Callable[[], Any]] = {
            "land": lambda: landing.land(self.home, SOURCE), "conform": lambda: conform(self.home, SOURCE),
            "screen": lambda: screen(self.home, SOURCE), "purge": lambda: purge(self.home, SOURCE),
            "link.train": lambda: train(self.home), "resolve": lambda: resolve(self.home), "release": lambda: release(self.home, GROUP),
            PREPARE: self._prepare, RECORD: lambda: record(self.home, self.extract_id, self._dag_run()),
            DELIVER: lambda: deliver(self.home, self.extract_id), "recall": lambda: recall(self.home, RECIPIENT),
            "freshness": lambda: freshness.record(self.home), "retention": lambda: retention(self.home, lambda _: None),
            "maintain": lambda: maintain(self.home, 0)}
        return made | {f"build.{product}": lambda product=product: build(self.home, product) for product in catalog().products}

    def goes(self, *stages: str) -> None:
        """Run stages, and search after each for all who are gone."""
        for stage in stages:
            with airflow(self.run):
                self.stages()[stage]()
            self.search(stage)

    def search(self, stage: str) -> None:
        words = [(word, gap) for gap, held in self.gone.items() for word in held]
        for place in holding(self.home.home, [word for word, _ in words], ("lake/safety",)):
            self.found[words[int(place.rpartition(" ")[2])][1]].append(f"{stage}: {place}")

    def forgets(self, stage: str) -> None:
        """Forget the person of the gap after a stage."""
        gap = f"after {stage}"
        who = GAPS.index(gap)
        words = [name(who).encode(), address(who).encode(), *(key.encode() for key in keys(self.home, name(who)))]
        self.was[gap] = len(holding(self.home.home, words, ()))
        question = {"persons": [{"source": SOURCE, "source_person_id": name(who)}], "reason": "asked", "token": OFFICERS}
        with airflow(Users()):
            assert forget(self.home, Question(json.dumps(question).encode())).facts["found"] == 0
        self.gone[gap], self.found[gap] = words, []
        self.search(f"forget {gap}")

    def _prepare(self) -> None:
        self.prepared += 1
        self.extract_id = (facts := prepare(self.home, RECIPIENT, self._dag_run()).facts)["extract_id"]
        self.run.body = f"Extract {self.extract_id}, manifest_sha256 {facts['manifest_sha256']}"

    def _dag_run(self) -> tuple[str, str]:
        return RUN[0], f"manual__{self.prepared}"


def keys(home: Settings, who: str) -> set[str]:
    """The keys and the pseudonyms of a person."""
    lake = lake_of(home)
    own = {row["person_key"] for row in lake.arrow("vault.link").to_pylist() if row["source_person_id"] == who}
    return own | {row["pseudonym"] for row in lake.arrow("vault.pseudonym").to_pylist() if row["person_key"] in own}


@contextmanager
def airflow(answers: Run | Users) -> Iterator[None]:
    with serving(answers) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONCORD_CONNECTION_CONCORD_AIRFLOW",
                     json.dumps({"base_url": url, "login": "concord", "password": "x", "ca_file": ""}))
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, engine: str, bucket: str) -> Iterator[Runs]:
    """Three runs, with somebody forgotten in each gap of the first up to its release and of the second from there on."""
    made = Runs(small_lake.settings(tmp_path_factory.mktemp("between") / "home", engine))
    for table in ("core.contact_point", "core.message", "core.interaction"):
        lake_of(made.home).ensure(table)
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        tolerate(patch, SOURCE)
        patch.setattr(landing, "access", lambda _: None)
        patch.setattr(landing, "fetch", lambda *_: records())
        stack.enter_context(filled(bucket, patch, {}))
        for stage in FIRST:
            made.goes(stage)
            made.forgets(stage)
        made.goes(*(stage for stage in FIRST if stage != "link.train"))
        _to_its_end(made)
        made.goes(*(stage for stage in FIRST if stage != "link.train"), *LAST)
        yield made


def _to_its_end(made: Runs) -> None:
    """The end of the second run. An extract that somebody was taken out of cannot be sent any more: the next one is prepared."""
    made.goes(PREPARE)
    made.forgets(PREPARE)
    made.goes(RECORD)
    made.forgets(RECORD)
    with airflow(made.run), pytest.raises(NotApproved):
        deliver(made.home, made.extract_id)
    made.goes(PREPARE, RECORD)
    for stage in LAST[2:]:
        made.goes(stage)
        made.forgets(stage)


@pytest.mark.parametrize("gap", GAPS)
def test_nothing_is_left_of_who_was_forgotten(runs: Runs, gap: str) -> None:
    assert runs.was[gap] > 0, "the search must be able to find them before"
    assert runs.found[gap] == []


def test_others_went_through_all_of_it(runs: Runs) -> None:
    """The last run released and delivered something, or the gaps would be those of no run."""
    lake = lake_of(runs.home)
    assert len({pin["number"] for pin in releases.of(lake, GROUP)}) >= 2
    left = {row["source_person_id"] for row in lake.arrow("core.identity").to_pylist()}
    assert left == {name(person) for person in range(len(GAPS), len(GAPS) + 12)}
    assert {row["extract_id"] for row in lake.arrow("ledger.delivery").to_pylist()} >= {runs.extract_id}


def test_every_stage_of_a_run_has_its_gap() -> None:
    assert {stage.partition(".")[0] if stage.startswith("build") else stage for stage in (*FIRST, *LAST)} == (
        set(STAGES) | FREE) - NO_PART
