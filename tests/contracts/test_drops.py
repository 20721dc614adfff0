"""Broken contracts of sources whose files are dropped: where files lie, and that nothing of an API is asked of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contracts.broken import Case, is_refused

STUDY = "sources/study.yaml"
PATH = "participants: {path: participants/,"

CASES: dict[str, Case] = {
    "a token": (STUDY, "tokenPath: null", "tokenPath: /token", "property: connection", ("takes no token", "write tokenPath: null")),
    "a long page": (STUDY, "pageSize: 1000", "pageSize: 5000", "property: connection", ("at most 1000 objects", "write pageSize: 1000")),
    "no end of a path": (STUDY, PATH, "participants: {path: participants,", "participants: {path",
                         ("stream participants has path 'participants'", "path: members/")),
    "a slash at its beginning": (STUDY, PATH, "participants: {path: /participants/,", "participants: {path", ("which is no prefix",)),
    "a bucket in the path": (STUDY, PATH, 'participants: {path: "s3://bucket/x/",', "participants: {path", ("which is no prefix",)),
    "the whole bucket": (STUDY, PATH, 'participants: {path: "",', "participants: {path", ("which is no prefix",)),
    "one below the other": (STUDY, "consents: {path: consents/,", "consents: {path: participants/consents/,", "consents: {path",
                            ("stream consents lies below the path of stream participants", "a path of its own")),
    "the same twice": (STUDY, "consents: {path: consents/,", "consents: {path: participants/,", "{path", ("would be read as both",)),
    "items": (STUDY, PATH, "participants: {items: data, path: participants/,", "participants: {items", ("not asked by items", "take it out")),
    "a cursor": (STUDY, PATH, "participants: {cursor: next, path: participants/,", "participants: {cursor", ("not asked by cursor",)),
    "since": (STUDY, PATH, "participants: {since: x, path: participants/,", "participants: {since", ("not asked by since",)),
    "revisits": (STUDY, PATH, "participants: {revisitDays: 3, path: participants/,", "participants: {revisitDays", ("not asked by revisitDays",)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_contract_about_files_that_could_not_be_read(name: str, tmp_path: Path) -> None:
    is_refused(CASES[name], tmp_path)
