"""Free text: how many identities are found, and how many other words go, in texts that the team wrote in five languages.

``texts/team.jsonl`` was written before and while the recognisers were made; ``texts/blind.jsonl`` when they were done, and nothing
was changed for it. Names are made up by the team; some are words (Rose, Mark, Sommer, Blanc, Leone, Cruz), many in no list.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from jobs.freetext.lexicon import LANGUAGES
from jobs.freetext.spans import Kind
from tests.scored_texts import read, scored, unlisted

TEXTS = Path(__file__).parent / "texts"
RECALL, FALSE_REDACTIONS = 0.97, 0.05


@pytest.mark.parametrize("name", ["team", "blind"])
def test_identities_are_found_and_other_words_stay(name: str) -> None:
    score = scored(read(TEXTS / f"{name}.jsonl"))
    assert score.recall >= RECALL, score.missed
    assert score.false_redactions < FALSE_REDACTIONS
    assert score.withheld == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_in_every_language(language: str) -> None:
    score = scored(one for one in read(TEXTS / "team.jsonl") if one["language"] == language)
    assert score.recall >= RECALL, score.missed
    assert score.false_redactions < FALSE_REDACTIONS


def test_names_that_no_list_has() -> None:
    texts = unlisted(read(TEXTS / "team.jsonl") + read(TEXTS / "blind.jsonl"))
    score = scored([one for one in texts if any(s["type"] == "NAME" for s in one["spans"])])
    assert score.marked.total() >= 20
    assert score.recall >= 0.95, score.missed


def test_the_texts_are_what_they_are_said_to_be() -> None:
    for name, fewest in (("team", 26), ("blind", 12)):
        texts = read(TEXTS / f"{name}.jsonl")
        counts = Counter(one["language"] for one in texts)
        assert set(counts) == {*LANGUAGES} and min(counts.values()) >= fewest
        kinds = {span["type"] for one in texts for span in one["spans"]}
        assert kinds <= {*Kind}
        for one in texts:
            for span in one["spans"]:
                assert one["text"][span["start"]:span["end"]].strip() == one["text"][span["start"]:span["end"]] != ""
    assert {span["type"] for one in read(TEXTS / "team.jsonl") for span in one["spans"]} == {*Kind}
