"""`concord link`: links of a file, what they are worth, and plain words about files that cannot be linked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import yaml

from contracts.exit_codes import ExitCode
from contracts.matching import ColumnMap, Role, load
from jobs.matching.file import Linked, link
from tests.synthetic_people import MAP, people

ROLES = ColumnMap(record_id="id", roles={Role(role): column for role, column in MAP.items() if role != "record_id"})


def concord(folder: Path, file: str, *more: str) -> subprocess.CompletedProcess[str]:
    (folder / "columns.yaml").write_text(yaml.safe_dump(MAP), encoding="utf-8")
    return subprocess.run([sys.executable, "-m", "jobs", "link", str(folder / file), "--columns", str(folder / "columns.yaml"), *more],
                          capture_output=True, text=True, timeout=120, check=False)


def linked(table: pa.Table, folder: Path, roles: ColumnMap = ROLES, truth: str | None = "person") -> tuple[Linked, dict[str, int]]:
    pyarrow.parquet.write_table(table, folder / "people.parquet")
    done = link(folder / "people.parquet", roles, folder / "links.parquet", load(), lambda _: None, truth)
    found = pyarrow.parquet.read_table(folder / "links.parquet")
    assert found.column_names == ["record_id", "cluster_id"]
    assert found["record_id"].to_pylist() == table["id"].cast(pa.string()).to_pylist()
    return done, dict(zip(found["record_id"].to_pylist(), found["cluster_id"].to_pylist(), strict=True))


def test_a_file_is_linked_measured_and_drawn(tmp_path: Path):
    """Households, twins and family e-mails among them; the pages need no network and show nobody's values."""
    table = people(700)
    pyarrow.csv.write_csv(table, tmp_path / "people.csv")
    done = concord(tmp_path, "people.csv", "--out", str(tmp_path / "links.csv"), "--truth", "person", "--json", "--charts",
                   str(tmp_path / "charts"))
    assert done.returncode == ExitCode.OK, done.stderr
    told = json.loads(done.stdout)
    links = pyarrow.csv.read_csv(tmp_path / "links.csv")
    assert links.column_names == ["record_id", "cluster_id"]
    assert links["record_id"].to_pylist() == table["id"].to_pylist()
    found, truth = links["cluster_id"].to_numpy(), table["person"].to_numpy()
    assert told["people"] == len(set(found.tolist())) and told["records"] == table.num_rows
    both = np.equal.outer(found, found) & np.equal.outer(truth, truth)
    right, all_linked, true = ((int(m.sum()) - len(found)) // 2 for m in (both, np.equal.outer(found, found), np.equal.outer(truth, truth)))
    after = told["after_clustering"]
    assert (after["right"], after["linked"], after["true"]) == (right, all_linked, true)
    assert after["precision"] > 0.97 and after["recall"] > 0.97, after
    assert "pairs to look at" in done.stderr and f"found {told['people']:,} people" in done.stderr
    pages = [(tmp_path / "charts" / f"{name}.html").read_text(encoding="utf-8") for name in ("match_weights", "m_u", "scores", "waterfall")]
    values = {v for name in ("last", "street", "mail", "tel") for v in table[name].to_pylist() if v and len(v) > 8}
    for text in (*pages, done.stdout, done.stderr):
        assert not [v for v in values if v in text]
    assert all("<script src=" not in page for page in pages)


def test_whoever_makes_the_records_in_another_order_gets_the_same_people(tmp_path: Path):
    table = people(250, seed=3)
    _, first = linked(table, tmp_path)
    _, second = linked(table.take(np.random.default_rng(1).permutation(table.num_rows)), tmp_path)
    assert groups(first) == groups(second)


def test_the_same_person_ten_times_and_a_value_that_thousands_share(tmp_path: Path):
    """Ten copies are one person; a demonstration e-mail address, a default birth date and a switchboard's phone join nobody."""
    table = people(600, seed=5)
    copies = pa.concat_tables([table, *[table.slice(0, 1)] * 9])
    columns = {name: copies[name].to_pylist() for name in copies.column_names}
    columns["id"] = [f"r{n}" for n in range(copies.num_rows)]
    for row in range(100, 600):
        columns["mail"][row], columns["born"][row], columns["tel"][row] = "demo@clinic.de", "1980-01-01", "+493012345678"
    done, found = linked(pa.table(columns), tmp_path)
    last = copies.num_rows
    assert len({found[name] for name in ("r0", *[f"r{n}" for n in range(last - 9, last)])}) == 1
    assert max(np.bincount(list(found.values()))) < 20
    assert {done.set_aside[role][why] for role, why in (("email", "shared by more than 30"), ("phone", "shared by more than 30"))} >= {500}
    assert done.set_aside["birth_date"]["shared by more than 50"] >= 500
    assert done.after is not None and done.after.precision > 0.97


def test_other_scripts_crossed_names_and_gaps(tmp_path: Path):
    """Кириллица and Latin letters, a given name in the family name's column, and records without any value."""
    names = [("Иван", "Петров", "1961-02-03"), ("Ivan", "Petrov", "1961-02-03"), ("Λυδία", "Γεωργίου", "1977-12-01"),
             ("Georgioy", "Lydia", "1977-12-01"), (None, None, None), (None, None, None)]
    others = people(200, seed=9)
    table = pa.table({"id": [f"n{n}" for n in range(len(names))] + others["id"].to_pylist(),
                      **{name: [row[i] for row in names] + others[name].to_pylist() for i, name in enumerate(("first", "last", "born"))}})
    roles = ColumnMap(record_id="id", roles={Role.GIVEN_NAME: "first", Role.FAMILY_NAME: "last", Role.BIRTH_DATE: "born"})
    _, found = linked(table, tmp_path, roles, None)
    assert found["n0"] == found["n1"] and found["n2"] == found["n3"]
    assert len({found[n] for n in ("n0", "n2", "n4", "n5")}) == 4


@pytest.mark.parametrize("rows", [
    {"id": ["a", "b"], "first": [None, None], "last": [None, None], "born": [None, None]},
    {"id": ["a", "b"], "first": ["anna", "anna"], "last": ["meier", "meier"], "born": ["1980-02-02", "1980-02-02"]},
    {"id": [1, 2, 3], "first": ["x", "y", "z"], "last": ["x", "x", "x"], "born": ["1", "2", "3"]}])
def test_files_with_next_to_nothing_in_them_are_linked_too(tmp_path: Path, rows: dict[str, list[object]]):
    roles = ColumnMap(record_id="id", roles={Role.GIVEN_NAME: "first", Role.FAMILY_NAME: "last", Role.BIRTH_DATE: "born"})
    done, found = linked(pa.table({name: pa.array(values, pa.string()) if name != "id" else values for name, values in rows.items()}), tmp_path,
                         roles, None)
    assert done.records == len(found) == len(rows["id"])


def groups(found: dict[str, int]) -> set[frozenset[str]]:
    made: dict[int, set[str]] = {}
    for record, person in found.items():
        made.setdefault(person, set()).add(record)
    return {frozenset(group) for group in made.values()}


GOOD = b"id,first,last,born,gender,street,zip,town,mail,tel\n1,canary,b,c,d,e,f,g,h,i\n2,canary,b,c,d,e,f,g,h,i\n"


@pytest.mark.parametrize(("name", "content", "more", "said"), [
    ("people.csv", GOOD.replace(b"mail", b"post"), (), "has no column 'mail'"),
    ("people.csv", GOOD, ("--truth", "person"), "has no column 'person'"),
    ("people.csv", GOOD.replace(b"\n2,", b"\n1,"), (), "a record id stands twice"),
    ("people.csv", GOOD.replace(b"\n2,", b"\n,"), (), "a record id is missing"),
    ("people.csv", GOOD[:GOOD.index(b"\n2,")], (), "fewer than two records"),
    ("people.csv", b"", (), "people.csv"),
    ("people.csv", GOOD.replace(b"canary", b"canary\xff\xfe", 1), (), "people.csv is not UTF-8"),
    ("people.parquet", b"canary", (), "cannot be read as parquet"),
    ("people.xlsx", b"canary", (), "neither CSV nor Parquet"),
    ("people.csv", GOOD, ("--out", "links.txt"), "links.txt is neither CSV nor Parquet"),
    ("people.csv", GOOD, ("--out", "none/links.csv"), "cannot be written"),
    ("people.csv", GOOD, ("--matching", "none.yaml"), "none.yaml cannot be read")])
def test_files_that_cannot_be_linked(tmp_path: Path, name: str, content: bytes, more: tuple[str, ...], said: str):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "columns.yaml").write_text(yaml.safe_dump(MAP), encoding="utf-8")
    from typer.testing import CliRunner

    from jobs.cli import app
    from jobs.errors import ConfigurationError

    done = CliRunner().invoke(app, ["link", str(tmp_path / name), "--columns", str(tmp_path / "columns.yaml"), "--out",
                                    str(tmp_path / "links.csv"), *[str(tmp_path / m) if "." in m else m for m in more]])
    assert isinstance(done.exception, ConfigurationError), done.exception
    assert said in str(done.exception) and "canary" not in str(done.exception) + done.output
    assert not (tmp_path / "links.csv").exists()


def test_the_command_ends_with_one_line_and_the_status_of_a_wrong_setting(tmp_path: Path):
    (tmp_path / "people.csv").write_bytes(GOOD.replace(b"mail", b"post"))
    done = concord(tmp_path, "people.csv", "--out", str(tmp_path / "links.csv"))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (ExitCode.CONFIGURATION, "", 1)
    assert "has no column 'mail'; its columns are born, first, gender, id" in done.stderr
