"""How people are matched, as data: what is refused, and where the message points."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.matching import FILE, MatchingError, Role, columns, load

GOOD = "record_id: id\ngiven_name: first\nfamily_name: last\n"


def test_every_role_is_compared_and_every_rule_names_roles():
    matching = load()
    assert set(matching.comparisons) | {role for rule in matching.contradictions.values() for role in rule.needs} == set(Role)
    assert len(matching.rules(Role)) == len(matching.blocking) > 30
    assert all(levels[0].level == "exact" for levels in matching.comparisons.values())


def test_a_role_that_is_not_mapped_drops_out_with_all_that_needs_it():
    matching = load()
    roles = [Role.GIVEN_NAME, Role.BIRTH_DATE]
    assert [level.level for level in matching.levels(roles)[Role.GIVEN_NAME]] == [
        "exact", "one letter off", "two letters off", "alike"]
    assert {key.role for rule in matching.rules(roles) for key in rule} == set(roles)


@pytest.mark.parametrize(("text", "said"), [
    ("given_name: first\n", ":1: record_id is missing"),
    ("record_id: id\n", ":1: maps no role"),
    (GOOD + "shoe_size: shoe\n", ":4: shoe_size is no role"),
    (GOOD + "email: last\n", "column last has two roles"),
    (GOOD + "email:\n", ":4: email names no column"),
    (GOOD + "email: [a, b]\n", ":4: email names no column"),
    (GOOD + "given_name: other\n", ":4:"),
    ("- id\n", "is not a mapping of record_id and roles"),
    ("record_id: [\n", "is not YAML")])
def test_a_mapping_that_is_refused(tmp_path: Path, text: str, said: str):
    path = tmp_path / "columns.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MatchingError) as refused:
        columns(path)
    assert said in str(refused.value) and str(path) in str(refused.value)


def test_a_mapping_that_is_not_there(tmp_path: Path):
    with pytest.raises(MatchingError, match="cannot be read: No such file"):
        columns(tmp_path / "none.yaml")


@pytest.mark.parametrize(("was", "becomes", "said"), [
    ("- [national_id]", "- [shoe_size]", "'shoe_size' is no key"),
    ("- [national_id]", "- ['email:x']", "'email:x' is no key"),
    ("precision: 0.99", "precision: 1.5", "precision: Input should be less than 1"),
    ("precision: 0.99", "precision: 0.99\nshoes: 2", "shoes: Extra inputs"),
    ("  sex: \"(unknown", "  sex: \"(((unknown", "placeholders of sex are no regular expression")])
def test_a_configuration_that_is_refused(tmp_path: Path, was: str, becomes: str, said: str):
    path, text = tmp_path / "matching.yaml", FILE.read_text(encoding="utf-8")
    assert was in text
    path.write_text(text.replace(was, becomes, 1), encoding="utf-8")
    with pytest.raises(MatchingError) as refused:
        load(path)
    assert said in str(refused.value)
