"""Data Docs of what gates found: whole, readable without a network, and without a value of a row."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from contracts import catalog
from contracts.quality import CustomRule, Severity
from expectations.derive import suite
from jobs.check import AS_OF, Finding
from jobs.cli import app
from jobs.errors import ConfigurationError, GateFailed, IntegrityError
from jobs.lake import Lake
from jobs.ledger import quality
from jobs.run.gated import gate
from jobs.run.shell import open_shell
from jobs.settings import Settings
from tests.constraints import CANARIES, CANARY, PAST, rows_of

NAME, AT = "core.observation", datetime(2026, 11, 2, 3, 4, 5, tzinfo=UTC)
FETCHING = {"script", "link", "img", "iframe", "object", "embed", "video", "audio", "source", "base", "form"}
NASTY = "^<script src='https://third.example/x.js'></script><img src='//third.example/y'>$"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CONCORD_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CONCORD_LAKE", raising=False)
    return Settings(home=tmp_path / "home", lake="", actor="test")


def docs(*words: str) -> Result:
    done = CliRunner().invoke(app, ["quality", *words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def finding(configuration: dict[str, Any], expectation: str, broken: int | None = 0, **other: Any) -> Finding:
    said = {"columns": configuration.get("column", ""), "of": 3, "rule": None, "stops": True, **other}
    return Finding(expectation, is_met=not broken, rows=broken, configuration=json.dumps(configuration), **said)


def kept(home: Settings, subject: str, *found: Finding, at: datetime = AT, table: str = NAME) -> None:
    tables = catalog().tables
    quality.write(Lake(home.lake_root, tables), subject, tables[table], found, at)


NOT_NULL = finding({"column": "code"}, "expect_column_values_to_not_be_null")


class Reader(HTMLParser):
    """What a page has: its elements, where they point, the cells of its tables."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self._in_cell = False
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] = " ".join([*self.rows[-1][-1].split(), *data.split()])

    def addresses(self) -> list[str]:
        return [value or "" for _, attrs in self.elements for name, value in attrs.items() if name in ("href", "src")]


def pages(folder: Path) -> dict[Path, Reader]:
    return {path: Reader(path) for path in sorted(folder.rglob("*.html"))}


def page_of(folder: Path, subject: str, table: str = NAME) -> Reader:
    return Reader(*folder.glob(f"validations/{table.replace('.', '/')}/{subject}/*/*.html"))


def listed(folder: Path) -> list[list[str]]:
    """Status, table, subject, what was not met of each check that the index lists."""
    return [[cells[0], *cells[2:4], cells[6]] for cells in Reader(folder / "index.html").rows if len(cells) == 7][1:]


def test_no_value_that_a_gate_found_broken_is_in_the_docs(home: Settings, engine: str, tmp_path: Path) -> None:
    table, folder = catalog().table(NAME), tmp_path / "docs"
    settings = Settings(home=home.home, lake="", engine=engine, actor="test")
    with open_shell(settings, "conform", "crm", with_engine=True) as shell:
        with pytest.raises(GateFailed):
            gate(shell, "crm.000001", rows_of(shell.lake.spark, table, [{}, {"unit_code": CANARY * 9}, {"code": CANARY}]), table, PAST)
        assert docs("--docs", str(folder)).output == f"1 checks of 1 tables in {folder}/index.html\n"
        [(status, name, subject, broken)] = listed(folder)
        assert (status, name, subject) == ("not met", NAME, "crm.000001")
        assert "column_values_to_match_regex on code (1 of 3 rows)" in broken and "on unit_code (1 of 3 rows)" in broken
        found = [cells for cells in page_of(folder, "crm.000001").rows if "1 of 3 rows" in cells]
        assert len(found) == 2 and all("1 unexpected values found" in cells[1] and cells[3] == "critical" for cells in found)
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert len(files) == 4 and not [c for path in files for c in CANARIES if c in f"{path} {path.read_text(encoding='utf-8')}"]
        gate(shell, "crm.000001", rows_of(shell.lake.spark, table, [{}]), table, PAST)
        gate(shell, "crm.000002", rows_of(shell.lake.spark, table, [{}]), table, PAST)
    assert docs("--docs", str(folder)).output == f"2 checks of 1 tables in {folder}/index.html\n"
    assert listed(folder) == [["met", NAME, "crm.000002", "-"], ["met", NAME, "crm.000001", "-"]]
    assert len(pages(folder)) == 4


def test_a_page_fetches_nothing_and_every_link_leads_to_a_page(home: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    nasty = finding({"column": "code", "regex": NASTY}, "expect_column_values_to_match_regex", 2, rule=NASTY)
    kept(home, "crm.000001", NOT_NULL, nasty)
    docs("--docs", str(folder))
    for path, page in pages(folder).items():
        policies = [attrs["content"] for tag, attrs in page.elements if tag == "meta" and "http-equiv" in attrs]
        assert policies == ["default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"]
        assert not FETCHING & {tag for tag, _ in page.elements} and "url(" not in (text := path.read_text(encoding="utf-8"))
        assert "@import" not in text and "<!doctype html>" in text[:200]
        for address in page.addresses():
            assert (path.parent / address.split("#")[0]).resolve() in (*pages(folder), path.parent), address
    assert {p.name for p in folder.rglob("*") if p.is_file()} == {".concord-quality", "index.html", "observation.html",
                                                                  f"{NAME}.html"}
    assert NASTY in " ".join(cell for cells in page_of(folder, "crm.000001").rows for cell in cells)


def test_whatever_contracts_expect_is_rendered(home: Settings, tmp_path: Path) -> None:
    folder, tables = tmp_path / "docs", [t for t in catalog().tables.values() if t.zone in ("core", "product")]
    for table in tables:
        made = [e.configuration for e in suite(table, AT).expectations]
        kept(home, "crm.000001", *(Finding(
            c.type, str(c.kwargs.get("column", "")), True, 3, 0, json.dumps(c.kwargs, default=lambda _: AS_OF),
            c.meta.get("rule"), c.severity == "critical") for c in made), table=table.name)
    docs("--docs", str(folder), "--most", "1000")
    assert sorted(name for _, name, _, _ in listed(folder)) == sorted(table.name for table in tables)
    for table in tables:
        asked = [cells for cells in page_of(folder, "crm.000001", table.name).rows if cells[-1:] and cells[0] == ""]
        assert len([c for c in asked if len(c) == 5]) == len(suite(table, AT).expectations)
def test_a_metric_is_told_with_its_limit_and_counts(home: Settings, tmp_path: Path) -> None:
    metric = {"metric": "nullValues", "columns": ["unit_code"], "must": "mustBeLessThan", "numbers": [2.0], "is_percent": True}
    kept(home, "crm.000001", finding(metric, "expect_quality_metric_to_meet", 4, of=300, rule="few_nulls", stops=False),
         finding({"unexpected_rows_query": "SELECT 1 FROM {batch}"}, "unexpected_rows_expectation", 7, of=None),
         finding({"column": "version_at", "max_value": AS_OF}, "expect_column_values_to_be_between"))
    docs("--docs", str(tmp_path / "docs"))
    shown = {cells[1]: cells[2:] for cells in page_of(tmp_path / "docs", "crm.000001").rows if len(cells) == 5}
    told = "nullValues of unit_code mustBeLessThan 2 percent 4 unexpected values found. ≈1.333% of 300 total rows."
    assert shown[told] == ["4 of 300 rows", "warning", "few_nulls"]
    assert shown["Unexpected rows query: SELECT 1 FROM {batch}"] == ["7 rows", "critical", "-"]
    assert shown[f"values must not lie after {AS_OF}"] == ["0 of 3 rows", "critical", "-"]


def test_a_rule_is_told_in_the_words_of_its_contract(home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = catalog()
    rule = CustomRule(name="sane", description="As <i>one</i> expects", severity=Severity.WARN, column=None,
                      expectation="expect_column_values_to_not_be_null", kwargs={"column": "value"})
    tables = known.tables | {NAME: known.table(NAME).model_copy(update={"quality": (rule,)})}
    monkeypatch.setattr("jobs.run.quality.catalog", lambda: replace(known, tables=tables))
    kept(home, "crm.000001", finding({"column": "value"}, rule.expectation, rule="sane", stops=False),
         finding({"column": "code"}, rule.expectation, rule="long_gone"))
    docs("--docs", str(tmp_path / "docs"))
    told = {cells[4] for cells in page_of(tmp_path / "docs", "crm.000001").rows if len(cells) == 5} - {"Rule"}
    assert told == {"sane: As <i>one</i> expects", "long_gone"}


def test_only_the_newest_go_in_and_what_is_left_out_is_said(home: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    broken = finding({"column": "code"}, "expect_column_values_to_not_be_null", 1)
    for n in (1, 2, 3):
        kept(home, f"crm.00000{n}", broken if n == 1 else NOT_NULL, at=AT + timedelta(days=n))
    assert json.loads(docs("--docs", str(folder), "--json").output) == {
        "checks": 3, "tables": 1, "left_out": 0, "index": f"{folder}/index.html"}
    assert [subject for _, _, subject, _ in listed(folder)] == ["crm.000003", "crm.000002", "crm.000001"]
    assert docs("--docs", str(folder), "--most", "2").output == (
        f"2 checks of 1 tables in {folder}/index.html; 1 older ones are left out: --most 3\n")
    assert [subject for _, _, subject, _ in listed(folder)] == ["crm.000003", "crm.000002"] and len(pages(folder)) == 4
    docs(NAME, "--docs", str(folder), "--failed")
    assert [subject for _, _, subject, _ in listed(folder)] == ["crm.000001"] and len(pages(folder)) == 3


def test_a_folder_with_other_files_is_left_alone(home: Settings, tmp_path: Path) -> None:
    kept(home, "crm.000001", NOT_NULL)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    for folder, why in (("notes", "files that are not of"), ("notes/mine.txt", "cannot be written"), ("no/where", "cannot be written")):
        with pytest.raises(ConfigurationError, match=why):
            docs("--docs", str(tmp_path / folder))
    assert [p.name for p in (tmp_path / "notes").iterdir()] == ["mine.txt"] and not (tmp_path / "no").exists()


def test_nothing_was_checked_yet(home: Settings, tmp_path: Path) -> None:
    assert docs("--docs", str(tmp_path / "docs")).output == f"no checks yet, {tmp_path}/docs is as it was\n"
    assert not (tmp_path / "docs").exists()


def test_an_expectation_that_nobody_knows_any_more_is_named(home: Settings, tmp_path: Path) -> None:
    kept(home, "crm.000001", NOT_NULL, finding({"column": "code"}, "expect_column_values_to_please"))
    with pytest.raises(IntegrityError, match="expect_column_values_to_please of crm.000001 for core.observation"):
        docs("--docs", str(tmp_path / "docs"))


def test_a_page_that_could_not_be_made_is_no_success(home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jobs.pages.data_docs.view import Findings

    kept(home, "crm.000001", NOT_NULL)
    monkeypatch.setattr(Findings, "render", None)
    with pytest.raises(IntegrityError, match="made 0 pages of 1 checks"):
        docs("--docs", str(tmp_path / "docs"))
