"""Nothing is lost and nothing counted twice, from landing to release, whatever is landed; and a second run changes nothing."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame

from contracts import catalog
from contracts.model import Source
from contracts.vocabulary import Outcome
from jobs import keys
from jobs.connectors import Record
from jobs.connectors.records import look
from jobs.lake import Lake
from jobs.ledger import accounts, batches, releases
from jobs.read import released
from jobs.run import conform as conforming
from jobs.run import land as landing
from jobs.run import product as building
from jobs.run.people import resolve
from jobs.run.product import candidate_id
from jobs.run.release import release
from jobs.settings import Settings
from jobs.stages import conform as stage
from jobs.workspace import Workspace
from tests.landing import apart, lake_of

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: diary
name: Diary
version: 1.0.0
status: active
description: {purpose: One stream of everything the products are made of.}
team: {name: tests}
customProperties:
  - {property: connection, value: {id: diary, connector: rest, tokenPath: null, pageSize: 10, maxAnswerMb: 1}}
  - {property: schedule, value: "0 2 * * *"}
  - {property: onChange, value: evolve}
  - {property: retentionDays, value: 30}
  - {property: legalBasis, value: consent}
  - {property: jurisdictions, value: [DE]}
  - {property: linkPurposes, value: [adherence_monitoring, decision_support, research]}
  - {property: streams, value: {events: {path: /events, recordId: payload.id, version: timestamp(payload.at), deleted: boolean(payload.gone)}}}
schema:
"""
FEEDS = {
    "identity": {"email": "email(payload.email)", "country_code": "text(payload.country)"},
    "consent": {"purpose_code": "text(payload.purpose)", "decision_code": "text(payload.decision)", "recorded_at": "timestamp(payload.day)",
                "valid_to_at": "timestamp(payload.until)"},
    "observation": {"code": "const('2339-0')", "value": "number(payload.value)", "unit_code": "const('mg/dL')",
                    "effective_at": "timestamp(payload.day)", "status_code": "const('final')"},
    "message": {"channel_code": "const('social')", "posted_at": "timestamp(payload.day)", "text": "text(payload.text)",
                "is_from_brand": "boolean(payload.brand)"},
    "interaction": {"kind_code": "text(payload.case)", "channel_code": "const('web')", "occurred_at": "timestamp(payload.day)"}}
PEOPLE, GROUP = 10, "engagement"
PURPOSES = ("adherence_monitoring", "decision_support", "brand_communication", "gossip")
SHAPES = ("well", "well", "well", "well", "gone", "tombstone", "wrong type", "cut", "not text", "future", "nameless")


@dataclass(frozen=True)
class Event:
    """What is landed: of which person, about what, in which shape, as of which edit, and with which choice of values."""

    kind: str
    person: int
    number: int = 0
    shape: str = "well"
    edit: int = 1
    choice: int = 0

    @property
    def record(self) -> Record:
        day = "2093-07-31" if self.shape == "future" else f"2026-10-0{1 + self.choice % 3}"
        content = {
            "id": f"{self.kind}-{self.person}-{self.number}", "kind": self.kind, "at": f"2026-10-0{self.edit}T12:00:00Z",
            "person": f"p{self.person}", "email": f"p{self.person // 2 if self.choice % 4 == 3 else self.person}@mail.example",
            "country": ("DE", "DE", "FR")[self.choice % 3], "purpose": PURPOSES[(self.number + self.choice // 3) % 4],
            "decision": ("permit", "permit", "deny", "asked")[self.choice % 4], "day": f"{day}T08:00:00Z",
            "until": "2026-10-09T00:00:00Z" if self.choice == 9 else None, "value": 70.0 + 20 * self.choice, "text": "hello",
            "brand": self.choice == 7, "case": ("complaint", "question")[self.choice % 2]}
        match self.shape:
            case "gone":
                content["gone"] = True
            case "wrong type":
                content |= {"value": "95", "text": 5, "email": {}, "decision": "perhaps", "case": []}
            case "nameless":
                del content["id"]
        payload = json.dumps(content).encode()
        payload = payload[:-9] if self.shape == "cut" else payload.replace(b"hello", b"\xff\xfe") if self.shape == "not text" else payload
        found = look(catalog().sources["diary"].streams[0], payload).record
        return Record(found.stream, found.record_id, payload, found.is_deleted or self.shape == "tombstone")


def base() -> list[Event]:
    """Enough that each product has a row and each outcome occurs: people, their yes, readings, posts, and one of each mishap."""
    made = [Event("identity", p) for p in range(PEOPLE)]
    made += [Event("consent", p, n) for p in range(PEOPLE) for n in range(2)]
    made += [Event(kind, p) for p in range(PEOPLE) for kind in ("observation", "message")]
    made += [Event("interaction", 0)]  # too few for a cell
    made += [Event("observation", 0, 9, shape) for shape in SHAPES[5:]] + [Event("observation", 1, 8), Event("observation", 1, 8)]
    return [*made, Event("observation", 2, 8, edit=1), Event("observation", 2, 8, edit=2), Event("consent", 9, 1, edit=2, choice=2)]


events = st.builds(Event, st.sampled_from(sorted(FEEDS)), st.integers(0, PEOPLE), st.integers(0, 2), st.sampled_from(SHAPES),
                   st.integers(1, 5), st.integers(0, 11))


@dataclass
class House:
    """A lake of its own, what is landed into it, and what its stages were seen to decide."""

    settings: Settings
    patch: pytest.MonkeyPatch
    waiting: list[Record] = field(default_factory=list)
    landed: int = 0
    decided: dict[tuple[str, int], str] = field(default_factory=dict)
    built: dict[str, set[Any]] = field(default_factory=dict)

    def watch(self) -> None:
        """Let landing fetch what is waiting, and note each record's outcome and how many rows each product was built with."""
        counted, kept = stage.account, Workspace.keep

        def fetch(source: Source, *_: object) -> Iterator[Any]:
            yield from self.waiting
            self.landed, self.waiting = self.landed + len(self.waiting), []
            yield "events", {"landed": self.landed}

        def account(frame: DataFrame) -> DataFrame:
            for row in frame.select("batch_id", "position", "outcome").collect():
                assert (row["batch_id"], row["position"]) not in self.decided, "a record has two outcomes"
                self.decided[row["batch_id"], row["position"]] = row["outcome"]
            return counted(frame)

        def keep(work: Workspace, name: str, made: DataFrame) -> DataFrame:
            """A product's rows as they are built, and those of an aggregate that stay as they were released: both are considered."""
            result = kept(work, name, made)
            product = catalog().products.get(Path(work._folder).name.removeprefix("product."))
            if product and name == "built":
                self.built[product.id] = set(enumerate(result.collect()))
            if product and product.is_aggregate and name in ("built", "guarded"):
                rows = {tuple(row) for row in result.select(*product.table.key).collect()}
                self.built[product.id] = rows if name == "built" else self.built[product.id] | rows
            if product and product.totals and name == "people" and "cell" in result.columns:  # The last of the people who are held.
                self.built[product.id] = {row["cell"].rpartition("\x1f")[0] for row in result.collect()}
            return result

        self.patch.setattr(landing, "fetch", fetch)
        self.patch.setattr(landing, "access", lambda _: None)
        self.patch.setattr(stage, "account", account)
        self.patch.setattr(Workspace, "keep", keep)

    def run(self) -> list[str]:
        """Every stage once; how each ended."""
        reports = [landing.land(self.settings, "diary"), conforming.conform(self.settings, "diary"), resolve(self.settings)]
        reports += [building.build(self.settings, product) for product in catalog().products]
        return [r.result for r in (*reports, release(self.settings, GROUP))]

    def versions(self) -> dict[str, int]:
        """Version of every table but the audit's, which notes each run."""
        lake = lake_of(self.settings)
        return {name: lake.version(name) for name in catalog().tables if name != "ledger.audit"}


def check_records(house: House) -> None:
    """Every raw record has exactly one outcome, and the accounts count the same."""
    lake = lake_of(house.settings)
    raw = {(r["batch_id"], r["position"]) for r in lake.arrow("raw.diary", columns=["batch_id", "position"]).to_pylist()}
    assert len(raw) == house.landed and raw == house.decided.keys()
    assert set(house.decided.values()) <= {str(o) for o in Outcome}
    entries = accounts.of(lake, {b["batch_id"] for b in batches.of(lake, "diary")})
    counted: Counter[str] = Counter()
    for row in entries:
        counted[row["outcome"]] += row["rows"]
    assert counted == Counter(house.decided.values())
    assert apart(house.settings, "diary").keys() == {place for place, outcome in house.decided.items() if outcome == "rejected"}


def standing(lake: Lake, name: str) -> int:
    """How many rows of a core table stand: of statements those that no newer version replaced."""
    return sum(not row.get("superseded_by") for row in lake.arrow(name).to_pylist())


def check_products(house: House) -> Counter[str]:
    """permitted + withheld = considered for each input, released + suppressed = built for each product; rows by outcome."""
    lake, seen = lake_of(house.settings), Counter[str]()
    for product in catalog().products.values():
        version = lake.version(product.table.name)
        entries = accounts.of(lake, {candidate_id(product.id, version)})
        for name in product.inputs:
            found = {r["outcome"]: r["rows"] for r in entries if r["table_name"] == name}
            assert found.keys() <= {"permitted", "withheld"}
            assert sum(r["rows"] for r in entries if r["table_name"] == name) == standing(lake, name), (product.id, name)
        made = {r["outcome"]: r["rows"] for r in entries if r["stage"] == "protect"}
        assert made.keys() <= {"released", "suppressed"} and sum(made.values()) == len(house.built[product.id]), product.id
        pin = releases.latest(lake, GROUP)[product.id]
        rows = released(product.id, settings=house.settings).arrow().num_rows
        assert (pin["table_version"], pin["rows"], rows) == (version, made.get("released", 0), made.get("released", 0))
        for row in entries:
            seen[row["outcome"]] += row["rows"]
    return seen


def contract(folder: Path) -> str:
    """Write the source's contract; the folder for CONCORD_CONTRACTS."""
    text = CONTRACT
    for thing, columns in FEEDS.items():
        text += f"  - name: {thing}\n    customProperties:\n      - {{property: stream, value: events}}\n"
        text += f"      - {{property: feeds, value: core.{thing}}}\n"
        text += f"      - {{property: when, value: \"equals(payload.kind, '{thing}')\"}}\n    properties:\n"
        text += "".join(f'      - {{name: {name}, transformLogic: "{logic}"}}\n'
                        for name, logic in {"source_person_id": "identifier(payload.person)", **columns}.items())
    (folder / "sources").mkdir(parents=True)
    (folder / "sources" / "diary.yaml").write_text(text, "utf-8")
    return str(folder)


# Not shrunk: one example takes seconds, and says itself which table does not add up.
@settings(max_examples=5, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck),
          phases=[Phase.explicit, Phase.generate])
@given(landed=st.lists(st.lists(events, min_size=10, max_size=40), min_size=2, max_size=3), data=st.data())
def test_every_record_and_every_row_is_accounted_for_and_a_second_run_changes_nothing(
        engine: str, landed: list[list[Event]], data: st.DataObject) -> None:
    """Several landings, each taken to a release: duplicates, edits, deletions, broken payloads, consents that change."""
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONCORD_CONTRACTS", contract(Path(home, "contracts")))
        house = House(Settings(home=Path(home), lake="", engine=engine, actor="test"), patch)
        keys.create(house.settings.keys)
        house.watch()
        seen: Counter[str] = Counter()
        for batch in ([*base(), *landed[0]], *landed[1:]):
            house.waiting = [event.record for event in data.draw(st.permutations(batch))]
            house.run()
            check_records(house)
            seen += check_products(house)
            before = house.versions()
            assert set(house.run()) == {"unchanged"} and house.versions() == before
        assert set(house.decided.values()) == {str(o) for o in Outcome} - {"refused"}
        assert {"permitted", "withheld", "released", "suppressed"} == seen.keys()
