"""Two recipients pool their extracts; somebody with a dictionary of everybody guesses at pseudonyms."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from contracts import catalog
from jobs.files import Files
from jobs.run.delivered import folder
from jobs.run.extract import prepare
from jobs.settings import Settings
from jobs.stages import extract as stage
from tests import small_lake
from tests.integration.airflow_stand_in import Run, serving

ONE, OTHER, PEOPLE = "glycemia_institute", "other_lab", 60


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Iterator[Settings]:
    """A release, and the same people's extract for two recipients that do not trust each other with the link."""
    made = small_lake.settings(tmp_path_factory.mktemp("attacks"), engine)
    lake = small_lake.fill(made, people=PEOPLE, days=2, refusing=0)
    small_lake.append(lake, "core.consent", [small_lake.statement(f"person-{n}", "research", OTHER) for n in range(PEOPLE)], "crm.000002")
    small_lake.released(made)
    airflow, known = Run(), catalog().recipients
    with serving(airflow) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONCORD_CONNECTION_CONCORD_AIRFLOW", json.dumps({"base_url": address, "login": "concord", "password": "x", "ca_file": ""}))
        patch.setitem(known, OTHER, known[ONE].model_copy(update={"id": OTHER, "pseudonym_domain": OTHER, "sha256": "other"}))
        yield made


def received(home: Settings, recipient: str) -> list[dict[str, Any]]:
    """The rows of a recipient's extract, in the order of its file."""
    facts = prepare(home, recipient, (f"extract_{ONE}", f"run_{recipient}")).facts
    content = Files(folder(home, catalog().recipients[recipient], facts["extract_id"])).read(stage.DATA)
    return pq.read_table(io.BytesIO(content or b"")).to_pylist()


@pytest.fixture(scope="module")
def extracts(home: Settings) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return received(home, ONE), received(home, OTHER)


def whose(home: Settings, domain: str) -> dict[str, str]:
    """The truth, which no attacker has: person keys by pseudonym."""
    rows = small_lake.Lake(home.lake_root, catalog().tables).arrow("vault.pseudonym").to_pylist()
    return {r["pseudonym"]: r["person_key"] for r in rows if r["domain"] == domain}


def people(rows: list[dict[str, Any]]) -> list[str]:
    """The pseudonyms of an extract, in the order in which they first appear."""
    return list(dict.fromkeys(r["person_id"] for r in rows))


def test_pooled_extracts_have_no_pseudonym_in_common(extracts: tuple[Any, Any]) -> None:
    one, other = map(people, extracts)
    assert len(one) == len(other) == PEOPLE
    assert not set(one) & set(other)
    assert not {p[:8] for p in one} & {p[:8] for p in other}, "nor a beginning of one"


def test_the_order_of_rows_links_no_better_than_chance(home: Settings, extracts: tuple[Any, Any]) -> None:
    truth = {**whose(home, ONE), **whose(home, OTHER)}
    one, other = ([truth[p] for p in people(rows)] for rows in extracts)
    hits = sum(a == b for a, b in zip(one, other, strict=True))
    assert hits <= 8, "one person is right by chance, whatever their number, and nine in less than one run of 800,000"


def test_other_products_of_the_platform_link_to_no_recipient(home: Settings, extracts: tuple[Any, Any]) -> None:
    lake = small_lake.Lake(home.lake_root, catalog().tables)
    own = {name for product in ("glucose_daily", "patient_profile") for name in lake.arrow(f"product.{product}")["person_id"].to_pylist()}
    assert len(own) == PEOPLE and not own & {p for rows in extracts for p in people(rows)}


GUESSES = (b"", b"0" * 32, b"concord", ONE.encode(), b"pseudonym/" + ONE.encode(), bytes(32), b"\xff" * 32)


@pytest.mark.parametrize("knows", ["the ids of the source", "the keys of the vault", "the pseudonyms of another recipient"])
def test_a_dictionary_of_everybody_gives_nobody(home: Settings, extracts: tuple[Any, Any], knows: str, tmp_path: Path) -> None:
    """Digests of everything that may be known, bare and under keys that one would try first."""
    wanted = set(people(extracts[0]))
    words = {"the ids of the source": [f"person-{n}" for n in range(PEOPLE)], "the keys of the vault": list(whose(home, ONE).values()),
             "the pseudonyms of another recipient": people(extracts[1])}[knows]
    written = [text for word in words for text in (word, f"crm/{word}", f"{ONE}/{word}", word.upper())]
    digests = [hashlib.new(name, text.encode()).hexdigest() for text in written for name in ("sha256", "sha1", "md5", "sha512", "blake2b")]
    digests += [hmac.new(key, text.encode(), name).hexdigest() for text in written for key in GUESSES for name in ("sha256", "sha1", "md5")]
    assert len(digests) > 5000
    found = {digest[at:at + 32] for digest in digests for at in range(0, len(digest) - 31, 8)}
    assert not wanted & found


def test_the_number_that_moves_dates_does_not_follow_from_the_pseudonym(home: Settings) -> None:
    """The best guess from the first bits of a pseudonym is as good as any other."""
    rows = small_lake.Lake(home.lake_root, catalog().tables).arrow("vault.pseudonym").to_pylist()
    assert len(rows) >= 3 * PEOPLE
    for digits in (slice(0, 8), slice(8, 16), slice(16, 24), slice(24, 32)):
        hits = sum((int(r["pseudonym"][digits], 16) >> 1) % 365 == r["date_seed"] % 365 for r in rows)
        assert hits <= 6, "of 180 guesses at 365 days half a one is right by chance, and seven in less than one run of a million"
    seeds = {(r["person_key"], r["domain"]): r["date_seed"] % 365 for r in rows}
    same = sum(seeds[key, ONE] == seeds[key, OTHER] for key, domain in seeds if domain == ONE)
    assert same <= 5, "another domain moves them otherwise"
