"""`concord anonymity`: the rows it writes as pyCanon measures them, and plain words about what cannot be made anonymous."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from pycanon import anonymity as pycanon

from contracts.exit_codes import ExitCode

QUASI, SENSITIVE = ["age", "postcode", "sex"], ["diagnosis", "stage"]
CANARY = "90210"


def people(rows: int, seed: int = 1) -> pa.Table:
    chance = random.Random(seed)  # noqa: S311  # Made-up people.
    return pa.table({
        "age": [chance.choice([None, *range(18, 90)]) for _ in range(rows)], "postcode": [f"{chance.randrange(100, 140):03d}55" for _ in range(rows)],
        "sex": [chance.choice("fm") for _ in range(rows)], "diagnosis": [chance.choice(["E10", "E11", "I10", None]) for _ in range(rows)],
        "stage": [chance.randrange(1, 5) for _ in range(rows)], "note": [f"note {n}" for n in range(rows)]})


def write(table: pa.Table, path: Path) -> Path:
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(table, path)
    elif path.suffix == ".parquet":
        pyarrow.parquet.write_table(table, path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()), "utf-8")
    return path


def concord(path: Path, *more: str, quasi: str = ",".join(QUASI)) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "jobs", "anonymity", str(path), "--quasi", quasi, *more], capture_output=True, text=True,
                          timeout=300, check=False)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".ndjson"])
def test_what_is_written_is_as_anonymous_as_pycanon_measures(suffix: str, tmp_path: Path) -> None:
    table, out = people(1500), tmp_path / "out.parquet"
    done = concord(write(table, tmp_path / f"people{suffix}"), "--k", "6", "--sensitive", ",".join(SENSITIVE), "--l", "3", "--t", "0.3",
                   "--out", str(out), "--json")
    assert done.returncode == ExitCode.OK, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    found = pyarrow.parquet.read_table(out)
    assert found.column_names == table.column_names and found.num_rows == told["rows"] - told["suppressed"] >= 1425
    assert set(found["note"].to_pylist()) <= set(table["note"].to_pylist())
    # A null is a value as any other. It measures closeness to the rows that are left, we to all that there were.
    frame: pd.DataFrame = found.to_pandas().astype(dict.fromkeys((*QUASI, "diagnosis"), object)).fillna("none").astype({"stage": int})
    assert pycanon.k_anonymity(frame, QUASI) == told["smallest_group"] >= 6
    assert all(pycanon.l_diversity(frame, QUASI, [name]) >= 3 for name in SENSITIVE)
    assert all(pycanon.t_closeness(frame, QUASI, [name]) <= 0.3 + 0.02 for name in SENSITIVE)
    groups = frame.groupby(QUASI).size()
    assert told["groups"] == len(groups) and told["prosecutor_risk"] == {
        "average": pytest.approx(len(groups) / len(frame)), "maximum": pytest.approx(1 / groups.min())}


def test_people_with_many_rows_are_counted_as_pycanon_measures(tmp_path: Path) -> None:
    table = people(1500)
    table = table.set_column(table.column_names.index("note"), "note", [[f"p{n // 10}" for n in range(1500)]])
    done = concord(write(table, tmp_path / "people.csv"), "--k", "6", "--person", "note", "--out", str(tmp_path / "out.parquet"), "--json")
    assert done.returncode == ExitCode.OK, done.stderr
    found = pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pandas().astype(dict.fromkeys(QUASI, object)).fillna("none")
    alone = found[["note", *QUASI]].drop_duplicates()
    assert pycanon.k_anonymity(alone, QUASI) == json.loads(done.stdout)["smallest_group"] >= 6


def test_a_person_reads_levels_risk_and_cost(tmp_path: Path) -> None:
    done = concord(write(people(600), tmp_path / "people.csv"), "--k", "5")
    assert done.returncode == ExitCode.OK, done.stderr
    assert all(name in done.stdout for name in QUASI)
    assert "rows in" in done.stdout and "prosecutor risk:" in done.stdout and "% at most" in done.stdout and "loss " in done.stdout
    assert "combinations of quasi-identifiers" in done.stderr


def test_hierarchies_of_ones_own_are_used(tmp_path: Path) -> None:
    folder = tmp_path / "hierarchies"
    folder.mkdir()
    (folder / "sex.csv").write_text("f;person\nm;person\n", "utf-8")
    (folder / "age.csv").write_text("\n".join([*(f"{age};{'young' if age < 40 else 'old'}" for age in range(18, 90)), ";unknown"]), "utf-8")
    done = concord(write(people(400), tmp_path / "people.csv"), "--k", "20", "--hierarchies", str(folder), "--out", str(tmp_path / "out.csv"),
                   "--suppress", "50")
    assert done.returncode == ExitCode.OK, done.stderr
    found = pyarrow.csv.read_csv(tmp_path / "out.csv")
    assert set(map(str, found["age"].to_pylist())) <= {"young", "old", "unknown", "*"} and set(found["sex"].to_pylist()) <= {"f", "m", "person"}


REFUSED: dict[str, tuple[dict[str, Any], list[str], list[str]]] = {
    "a column that is not there": ({}, ["--k", "5", "--sensitive", "diagnose", "--l", "2"], ["no column 'diagnose'", "did you mean diagnosis?"]),
    "k larger than the table": ({}, ["--k", "301"], ["300 rows, fewer than k = 301"]),
    "all values null": ({"age": pa.nulls(300, pa.int64())}, ["--k", "5"], ["age has no value in any row"]),
    "more diverse than the values": ({}, ["--k", "5", "--sensitive", "stage", "--l", "9"], ["no generalisation is diverse"]),
    "sensitive for nothing": ({}, ["--k", "5", "--sensitive", "stage"], ["neither --l nor --t"]),
    "l of nothing": ({}, ["--k", "5", "--l", "2"], ["name them with --sensitive"]),
    "sensitive and quasi": ({}, ["--k", "5", "--sensitive", "sex", "--l", "2"], ["sex is both"]),
    "an unknown kind of output": ({}, ["--k", "5", "--out", "out.xlsx"], ["neither CSV nor Parquet"]),
    "k larger than the people": ({"note": pa.array(["one", "two"] * 150)}, ["--k", "5", "--person", "note"], ["has 2 people, fewer than k = 5", "bring more people"]),
    "no such person": ({}, ["--k", "5", "--person", "name"], ["no column 'name'"]),
    "a person as quasi-identifier": ({}, ["--k", "5", "--person", "sex"], ["--person sex tells every person apart"]),
    "no folder of hierarchies": ({}, ["--k", "5", "--hierarchies", "nowhere"], ["nowhere is no folder"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_made_anonymous_is_refused(name: str, tmp_path: Path) -> None:
    changes, more, parts = REFUSED[name]
    table = people(300)
    for column, values in changes.items():
        table = table.set_column(table.column_names.index(column), column, values)
    done = concord(write(table, tmp_path / "people.parquet"), *more)
    assert done.returncode == ExitCode.CONFIGURATION and all(part in done.stderr for part in parts), done.stderr
    assert "Traceback" not in done.stderr


BROKEN: dict[str, tuple[str, list[str]]] = {
    "a hole": ("f;person\n", ["lacks 1 of the 2 values that sex has"]), "nothing": ("", ["is empty"]),
    "no level": ("f\nm\n", ["sex.csv:1: has 1 levels"]), "a short line": ("f;a;b\nm;a\n", ["sex.csv:2: has 2 levels, the first line 3"]),
    "a value twice": ("f;a\nf;b\nm;a\n", ["sex.csv:2: has a value that a line above has"]), "an empty level": ("f;\nm;a\n", ["sex.csv:1: has an empty level"]),
    "what was joined is told apart": ("f;person;a\nm;person;b\n", ["sex.csv:2: level 2 tells values apart that level 1 joins"]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_hierarchy_is_refused_without_a_value(name: str, tmp_path: Path) -> None:
    text, parts = BROKEN[name]
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "sex.csv").write_text(text, "utf-8")
    done = concord(write(people(300), tmp_path / "people.csv"), "--k", "5", "--hierarchies", str(tmp_path / "own"))
    assert done.returncode == ExitCode.CONFIGURATION and all(part in done.stderr for part in parts), done.stderr


def test_codes_of_a_file_without_types_keep_their_zeros(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "postcode.csv").write_text("01067;0106*\n01069;0106*\n10115;1011*\n", "utf-8")
    (tmp_path / "people.csv").write_text("postcode,id,dose\n" + "01067,007,1.10\n01069,008,2\n10115,x9,3\n" * 4, "utf-8")
    done = concord(tmp_path / "people.csv", "--k", "5", "--suppress", "40", "--hierarchies", str(tmp_path / "own"), "--out",
                   str(tmp_path / "out.csv"), quasi="postcode")
    assert done.returncode == ExitCode.OK, done.stderr
    lines = (tmp_path / "out.csv").read_text("utf-8").replace('"', "").splitlines()
    assert sorted(lines[1:]) == ["0106*,007,1.10"] * 4 + ["0106*,008,2"] * 4 and not list(tmp_path.glob(".*"))


def test_the_order_of_rows_tells_nothing(tmp_path: Path) -> None:
    table = pa.table({"age": sorted(n % 60 for n in range(400)), "place": list(range(400))})
    out = tmp_path / "out.parquet"
    out.write_bytes(b"the file before")
    assert concord(write(table, tmp_path / "people.parquet"), "--k", "20", "--suppress", "0", "--out", str(out), quasi="age").returncode == 0
    places = pyarrow.parquet.read_table(out)["place"].to_pylist()
    apart = [abs(one - other) for one, other in itertools.pairwise(places)]
    assert sorted(places) == list(range(400)) and sum(apart) / len(apart) > 60


def test_all_rows_may_be_suppressed_and_the_file_that_is_read_stays(tmp_path: Path) -> None:
    path = write(pa.table({"stage": [1, 2, 3, 3], "sex": ["f", "f", "m", "m"]}), tmp_path / "people.parquet")
    done = concord(path, "--k", "2", "--suppress", "100", "--sensitive", "stage", "--l", "4", quasi="sex")
    assert done.returncode == ExitCode.OK and "none of 4 rows is left" in done.stdout, done.stdout + done.stderr
    same = concord(path, "--k", "2", "--out", str(path), quasi="sex")
    assert same.returncode == ExitCode.CONFIGURATION and "the file that is read" in same.stderr
    assert pyarrow.parquet.read_table(path).num_rows == 4


def test_columns_may_be_called_anything(tmp_path: Path) -> None:
    names = ["a.b", "a", "A", "_code_0", "label_code_0", "kept_code_0", "c1", "with space", "a`b"]
    table = pa.table({name: ["x", "y"] * 6 for name in names})
    out = tmp_path / "out.parquet"
    done = concord(write(table, tmp_path / "people.parquet"), "--k", "5", "--out", str(out), quasi="a.b,A,_code_0,with space,a`b")
    assert done.returncode == ExitCode.OK, done.stderr
    found = pyarrow.parquet.read_table(out)
    assert found.column_names == names and sorted(found["a.b"].to_pylist()) == sorted(found["a"].to_pylist()) == sorted(["x", "y"] * 6)


@pytest.mark.parametrize(("name", "content"), [("people.parquet", CANARY), ("people.ndjson", '{"sex": "f"}\n{"sex": ' + CANARY)])
def test_a_broken_file_is_said_and_not_quoted(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    done = concord(tmp_path / name, "--k", "2", quasi="sex")
    assert done.returncode == ExitCode.CONFIGURATION and f"{name} cannot be read" in done.stderr, done.stderr
    assert CANARY not in done.stdout + done.stderr


def test_a_first_line_that_names_no_columns_is_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(f"93,{CANARY},f,E11\n20,10101,m,I10\n", "utf-8")
    done = concord(tmp_path / "people.csv", "--k", "2", quasi="age")
    assert done.returncode == ExitCode.CONFIGURATION and "must name its 4 columns" in done.stderr
    assert CANARY not in done.stdout + done.stderr


def test_no_value_is_quoted(tmp_path: Path) -> None:
    table = pa.table({"age": [20, 20, 93], "postcode": ["10101", "10101", CANARY], "sex": ["f", "f", "f"]})
    path = write(table, tmp_path / "people.csv")
    done = concord(path, "--k", "3", "--suppress", "0", "--json")
    assert done.returncode == ExitCode.OK, done.stderr
    assert CANARY not in done.stdout + done.stderr and json.loads(done.stdout)["suppressed"] == 0
    (tmp_path / "hierarchies").mkdir()
    (tmp_path / "hierarchies" / "postcode.csv").write_text("10101;1\n", "utf-8")
    holed = concord(path, "--k", "3", "--hierarchies", str(tmp_path / "hierarchies"))
    assert holed.returncode == ExitCode.CONFIGURATION and CANARY not in holed.stdout + holed.stderr
