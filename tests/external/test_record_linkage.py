"""record_linkage: fake_1000 and FEBRL 1 to 4, linked with the one configuration that everything is linked with."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.matching import ColumnMap, Role, load
from jobs.matching.file import link
from tests.external.published import DATA, needs

FAKE = {Role.GIVEN_NAME: "first_name", Role.FAMILY_NAME: "surname", Role.BIRTH_DATE: "dob", Role.CITY: "city", Role.EMAIL: "email"}
FEBRL = {Role.GIVEN_NAME: "given_name", Role.FAMILY_NAME: "surname", Role.BIRTH_DATE: "date_of_birth", Role.ADDRESS: "address_1",
         Role.CITY: "suburb", Role.POSTCODE: "postcode", Role.NATIONAL_ID: "soc_sec_id"}
WITHOUT_ID = {role: column for role, column in FEBRL.items() if role is not Role.NATIONAL_ID}
FEW = {role: FEBRL[role] for role in (Role.GIVEN_NAME, Role.FAMILY_NAME, Role.BIRTH_DATE, Role.POSTCODE)}


@needs("record_linkage")
@pytest.mark.parametrize(("files", "roles", "precision", "f1"), [
    (["fake_1000.csv"], FAKE, 0.99, 0.96),
    (["febrl/dataset1.csv"], FEBRL, 0.99, 0.999), (["febrl/dataset2.csv"], FEBRL, 0.99, 0.999), (["febrl/dataset3.csv"], FEBRL, 0.99, 0.999),
    (["febrl/dataset4a.csv", "febrl/dataset4b.csv"], FEBRL, 0.99, 0.9999),
    (["febrl/dataset4a.csv", "febrl/dataset4b.csv"], WITHOUT_ID, 0.99, 0.999),
    (["febrl/dataset4a.csv", "febrl/dataset4b.csv"], FEW, 0.99, 0.99)],
    ids=["fake_1000", "febrl1", "febrl2", "febrl3", "febrl4", "febrl4-without-national-id", "febrl4-few-columns"])
def test_published_people_are_found(tmp_path: Path, files: list[str], roles: dict[Role, str], precision: float, f1: float):
    text = [(DATA / "record_linkage" / name).read_text(encoding="utf-8").splitlines() for name in files]
    header, rows = text[0][0], [row for part in text for row in part[1:] if row.strip()]
    known = "cluster" if "cluster" in header else "person"
    if known == "person":  # FEBRL's record ids say who is who: rec-NUMBER-org and rec-NUMBER-dup-0.
        header, rows = f"{header},person", [f"{row},{row.split('-')[1]}" for row in rows]
    (tmp_path / "people.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    columns = ColumnMap(record_id="unique_id" if known == "cluster" else "rec_id", roles=roles)
    done = link(tmp_path / "people.csv", columns, tmp_path / "links.csv", load(), lambda _: None, known)
    assert done.after is not None and done.after.true in (500, 1934, 2031, 5000, 6538)
    assert done.after.precision >= precision, done.after
    assert done.after.f1 >= f1, done.after
