"""What the safety screen finds, and what it must not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.load import catalog
from jobs.products.glucose_daily import GLUCOSE_CODES, MG_DL_PER_MMOL_L
from jobs.stages import screen

FOUND = datetime(2026, 3, 2, 9, tzinfo=UTC)
SAID = datetime(2026, 3, 1, 12, tzinfo=UTC)
MESSAGE = ("source string, record_id string, source_person_id string, text string, posted_at timestamp, "
           "is_from_brand boolean")
INTERACTION = "source string, record_id string, source_person_id string, text string, occurred_at timestamp"
OBSERVATION = ("source string, record_id string, source_person_id string, value double, unit_code string, code string, "
               "status_code string, effective_at timestamp")
TEXTS: list[tuple[str, str | None]] = [
    ("I feel dizzy since Monday", "symptom"),
    ("DIZZY!!!", "symptom"),
    ("so #dizzy, again", "symptom"),
    ("Mir ist seit gestern übel, starke Übelkeit", "symptom"),
    ("Starke Uebelkeit", "symptom"),
    ("Starke U\u0308belkeit", "symptom"),
    ("STARKE ÜBELKEIT", "symptom"),
    ("Nausée et maux de  tête", "symptom"),
    ("j'ai des nausees", "symptom"),
    ("mal\nde\ntête", "symptom"),
    ("Ho mal di testa", "symptom"),
    ("Tengo náuseas", "symptom"),
    ("side-effects?", "symptom"),
    ("Ich war im Krankenhaus wegen Schwindel", "hospitalisation"),
    ("conduit à l\u2019hôpital", "hospitalisation"),
    ("Sono stato al pronto soccorso", "hospitalisation"),
    ("Took an overdose and went to the hospital", "hospitalisation"),
    ("Ich habe eine Überdosis genommen", "overdose"),
    ("trop d'insuline hier", "overdose"),
    ("double dose by mistake, now nausea", "overdose"),
    ("Meine Mutter ist im Krankenhaus verstorben", "death"),
    ("my father passed away", "death"),
    ("mon père est décédé", "death"),
    ("mi padre falleció", "death"),
    ("Ich nehme die Tabletten jeden Tag", None),
    ("J'achète du pain", None),
    ("no painfulness", None),
    ("the hospitality of the team", None),
    ("deadline tomorrow", None),
    ("the app had a crash again", None),
    ("Thank you, it works well", None),
    ("", None),
    ("😀" * 50, None),
    ("頭痛", None),
]


def candidates(rows: Any, kind: Any) -> dict[str, Any]:
    return {r.record_id: r for r in screen.screen(rows, kind, screen.lexicon(), FOUND).collect()}


def test_texts(frame: Any) -> None:
    asked = [("social", str(n), "p", text, SAID, False) for n, (text, _) in enumerate(TEXTS)]
    expected = {str(n): reason for n, (_, reason) in enumerate(TEXTS) if reason}
    messages = candidates(frame(MESSAGE, [*asked, ("social", "brand", "b", "nausea?", SAID, True)]), "message")
    assert {name: row.reason_code for name, row in messages.items()} == expected
    calls = candidates(frame(INTERACTION, [*[row[:5] for row in asked], ("crm", "silent", "p", None, SAID)]),
                       "interaction")
    assert {name: row.reason_code for name, row in calls.items()} == expected


READINGS: list[tuple[tuple[Any, ...], str | None]] = [
    ((53.9, "mg/dL"), "low_glucose"), ((54.0, "mg/dL"), None), ((400.0, "mg/dL"), None),
    ((400.1, "mg/dL"), "high_glucose"), ((2.9, "mmol/L"), "low_glucose"), ((3.0, "mmol/L"), None),
    ((22.2, "mmol/L"), None), ((22.3, "mmol/L"), "high_glucose"), ((30.0, "/min"), None), ((None, "mg/dL"), None),
    ((40.0, "mg/dL", "8867-4"), None), ((40.0, "mg/dL", "99504-3"), "low_glucose"),
    ((40.0, "mg/dL", "2339-0", "preliminary"), "low_glucose"), ((40.0, "mg/dL", "2339-0", "entered-in-error"), None),
    ((40.0, "mg/dL", "2339-0", "cancelled"), None),
]


def test_readings(frame: Any) -> None:
    rows = [("app", str(n), "p", *r, *("2339-0", "final")[len(r) - 2:], SAID) for n, (r, _) in enumerate(READINGS)]
    got = {name: row.reason_code for name, row in candidates(frame(OBSERVATION, rows), "observation").items()}
    assert got == {str(n): reason for n, (_, reason) in enumerate(READINGS) if reason}


@pytest.mark.parametrize("kind", ["message", "interaction", "observation"])
def test_candidates_keep_to_their_contract(frame: Any, kind: Any) -> None:
    rows = {"message": frame(MESSAGE, [("s", "1", None, "dizzy", SAID, False)]),
            "interaction": frame(INTERACTION, [("s", "1", None, "dizzy", SAID)]),
            "observation": frame(OBSERVATION, [("s", "1", None, 40.0, "mg/dL", "2339-0", "final", SAID)])}[kind]
    contract = catalog().table("safety.candidate")
    found = screen.screen(rows, kind, screen.lexicon(), FOUND)
    assert [(f.name, f.dataType.typeName()) for f in found.schema] == [(c.name, c.type) for c in contract.columns]
    row = found.first()
    assert (row.source, row.record_id, row.source_person_id, row.table_name) == ("s", "1", None, f"core.{kind}")
    times = (row.occurred_at, row.found_at, row.triage_due_at, row.report_due_at)
    assert [t.astimezone(UTC) for t in times] == [SAID, FOUND, FOUND + timedelta(hours=24), FOUND + timedelta(days=15)]


def test_what_cannot_be_screened_is_refused(frame: Any) -> None:
    rows = frame(INTERACTION, [])
    with pytest.raises(ValueError, match="what can be screened is message, interaction, observation"):
        screen.screen(rows, "media", screen.lexicon(), FOUND)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="give an aware datetime"):
        screen.screen(rows, "interaction", screen.lexicon(), FOUND.replace(tzinfo=None))


def test_the_lexicon_is_whole() -> None:
    raw = yaml.safe_load(Path(screen.__file__).with_name("lexicon.yaml").read_text(encoding="utf-8"))
    reasons = set(catalog().table("safety.candidate").column("reason_code").allowed_values or ())
    assert {*raw["words"], "low_glucose", "high_glucose"} == reasons
    assert all(set(by_language) == {"de", "en", "fr", "it", "es"} for by_language in raw["words"].values())
    assert all(isinstance(w, str) for by_language in raw["words"].values() for ws in by_language.values() for w in ws)
    assert (sorted(raw["glucose"]["codes"]), raw["glucose"]["mg_dl_per_mmol_l"]) == (
        sorted(GLUCOSE_CODES), MG_DL_PER_MMOL_L)


def test_every_word_of_the_lexicon_is_found_as_it_is_written(frame: Any) -> None:
    raw = yaml.safe_load(Path(screen.__file__).with_name("lexicon.yaml").read_text(encoding="utf-8"))
    words = [(reason, w) for reason, by_language in raw["words"].items() for ws in by_language.values() for w in ws]
    rows = [("s", f"{reason}/{form}", None, f"Ach, {form}!", SAID) for reason, w in words for form in (w, w.upper())]
    found = candidates(frame(INTERACTION, rows), "interaction")
    severity = list(raw["words"])
    assert {name for _, name, *_ in rows} == set(found)
    assert all(severity.index(r.reason_code) <= severity.index(name.split("/")[0]) for name, r in found.items())


def test_no_everyday_word_of_one_language_alarms_in_another() -> None:
    everyday = {"die", "pain", "man", "art", "gift", "sale", "come", "fast", "also", "was", "per", "main", "comment"}
    assert not everyday & {word for _, words in screen.lexicon().words for word in words}
