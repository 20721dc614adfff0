"""What is left of a value once case, accents, scripts and spaces no longer matter: cases as rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest

from contracts.matching import ColumnMap, Role, load
from jobs.matching import records

CASES = {
    Role.GIVEN_NAME: [("  José ", "jose"), ("O'Brien", "obrien"), ("Anne-Marie", "anne marie"), ("Иван", "ivan"), ("Ιωάννης", "ioannis"),
                      ("ÅSA", "asa"), ("N/A", None), ("unknown", None), ("", None), ("李", "li")],
    Role.BIRTH_DATE: [("1971-06-24", "1971-06-24"), ("19081209", "1908-12-09"), ("24.06.1971", "1971-06-24"), ("24/6/1971", "1971-06-24"),
                      ("1971-06-24 00:00:00", "1971-06-24"), ("1900-01-01", None), ("1974-01-64", "1974-01-64"), ("not a date", "not a date")],
    Role.SEX: [("M", "m"), ("female", "f"), ("W", "f"), ("unknown", None), ("x", "x")],
    Role.POSTCODE: [("SW1A 1AA", "sw1a1aa"), ("00000", None), ("10-115", "10115")],
    Role.EMAIL: [(" Eve@Mail.example.org ", "eve@mail.example.org"), ("unknown@clinic.org", None), ("noreply@x.de", None), ("a@example.com", None)],
    Role.PHONE: [("+49 (171) 123-4567", "711234567"), ("0171 1234567", "711234567"), ("000000", None), ("12", None)],
    Role.NATIONAL_ID: [("AB 12-34", "ab1234"), ("000000", None), ("999999999", None)],
    Role.CITY: [("München", "munchen"), ("St. Ives", "st ives")],
}


@pytest.mark.parametrize("role", CASES)
def test_values_are_cleaned(tmp_path: Path, role: Role):
    table = pa.table({"id": [str(n) for n in range(len(CASES[role]))], "value": [raw for raw, _ in CASES[role]]})
    pyarrow.csv.write_csv(table, tmp_path / "people.csv")
    read = records.read(tmp_path / "people.csv", ColumnMap(record_id="id", roles={role: "value"}), load())
    assert [v for (v,) in read.run(f"select {role} from {records.TABLE} order by unique_id")] == [clean for _, clean in CASES[role]]
    gone = sum(clean is None and raw not in ("", "12") for raw, clean in CASES[role])
    assert read.set_aside.get(role, {}).get("placeholder", 0) == gone


@pytest.mark.parametrize(("rows", "first"), [(["01/13/1990", "02/03/1991"], "1990-01-13"), (["13/01/1990", "02/03/1991"], "1990-01-13")])
def test_a_column_that_has_a_thirteenth_month_has_its_days_there(tmp_path: Path, rows: list[str], first: str):
    pyarrow.csv.write_csv(pa.table({"id": ["a", "b"], "born": rows}), tmp_path / "people.csv")
    read = records.read(tmp_path / "people.csv", ColumnMap(record_id="id", roles={Role.BIRTH_DATE: "born"}), load())
    second = "1991-02-03" if rows[0].startswith("01") else "1991-03-02"
    assert [v for (v,) in read.run(f"select birth_date from {records.TABLE} order by unique_id")] == [first, second]


def test_names_in_each_others_column_are_put_back(tmp_path: Path):
    given = ["anna", "anna", "anna", "meier", "anna"]
    family = ["meier", "meier", "huber", "anna", None]
    pyarrow.csv.write_csv(pa.table({"id": list("abcde"), "g": given, "f": pa.array(family)}), tmp_path / "people.csv")
    read = records.read(tmp_path / "people.csv", ColumnMap(record_id="id", roles={Role.GIVEN_NAME: "g", Role.FAMILY_NAME: "f"}), load())
    assert read.run(f"select given_name, family_name from {records.TABLE} order by unique_id") == [
        ("anna", "meier"), ("anna", "meier"), ("anna", "huber"), ("anna", "meier"), ("anna", None)]
    assert read.set_aside["names"] == {"in each other's column": 1}
