"""A replay under a mended contract leaves what the mended contract would have made of everything from the beginning."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from contracts.vocabulary import Outcome
from jobs.run.conform import conform
from jobs.run.replay_rejected import replay
from jobs.run.summary import summary
from jobs.settings import Settings
from tests.landing import Raw, land
from tests.replaying import FIRST, LATER, SOURCE, Kept, contract, kept, measured, said

VERSIONS, RECORDS = 200, 70
# Words of a place, of a yes and of a no: those that both contracts know, that the later one knows, and that none does.
WORDS = {"old": ("home", "yes", "no"), "new": ("ward", "aye", "nay"), "broken": ("moon", "perhaps", "perhaps")}


def version(roll: random.Random, is_dated: bool) -> Raw:
    """Some version of some record; few records, so that each has several, the same one more than once now and then."""
    name, value = roll.randrange(RECORDS), roll.randint(1, 3)
    place, yes, no = WORDS[roll.choice(("old", "old", "new", "new", "broken"))]
    at = f"2026-10-0{roll.randint(1, 4)}T00:00:00Z" if is_dated else None
    gone = {"gone": True} if roll.random() < 0.15 else {}
    if roll.random() < 0.4:
        return measured(name, place, at, value=60 * value + name / 100, **gone)
    return said(name, no if value == 1 else yes, at, note=value, **gone)


def lived(engine: str, landed: Sequence[Sequence[Raw]], learns_after: int) -> tuple[Kept, Counter[str]]:
    """What is kept of the batches, and the summary's outcomes, where the contract learns its words after so many of them."""
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        made = Settings(home=Path(home), lake="", engine=engine, actor="test")
        folders = [contract(Path(home, name), says) for name, says in (("first", FIRST), ("later", LATER))]
        patch.setenv("CONCORD_CONTRACTS", folders[0])
        for number, batch in enumerate(landed, 1):
            if number > learns_after:
                patch.setenv("CONCORD_CONTRACTS", folders[1])
            if number - 1 == learns_after > 0:
                replay(made, SOURCE)
            land(made, SOURCE, batch, number)
            conform(made, SOURCE)
        patch.setenv("CONCORD_CONTRACTS", folders[1])
        if learns_after == len(landed):
            replay(made, SOURCE)
        assert replay(made, SOURCE).result == "unchanged"
        counts = next(row for row in summary(made)["sources"] if row["source"] == SOURCE)
        return kept(made), Counter({str(o): counts[str(o)] for o in Outcome} | {"landed": counts["landed"]})


@pytest.mark.parametrize(("is_dated", "batches"), [(True, 3), (False, 2)],
                         ids=["versions have dates, another batch comes", "versions come in order"])
def test_a_replay_makes_of_it_what_the_later_contract_makes_of_it(engine: str, is_dated: bool, batches: int) -> None:
    """Batches of versions and deletions, of readings and statements."""
    roll = random.Random(20261128 + is_dated)  # noqa: S311
    landed = [[version(roll, is_dated) for _ in range(VERSIONS)] for _ in range(batches)]
    expected, counted = lived(engine, landed, 0)
    assert len(expected.core["core.observation"]) > 20 and len(expected.apart) > 50 and expected.deleted
    assert {row["decision_code"] for row in expected.core["core.consent"]} == {"permit", "deny"}
    found, counts = lived(engine, landed, 2)
    assert found == expected
    assert counts["rejected"] == counted["rejected"] == len(expected.apart)
    assert counts["landed"] == batches * VERSIONS == sum(counts[str(o)] for o in Outcome)
