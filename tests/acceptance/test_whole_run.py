"""The main job end to end: six sources to governed products and a partner's extract, through Airflow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contracts import catalog
from contracts.vocabulary import Outcome
from jobs.keys import public_key
from jobs.lake import Lake
from jobs.ledger import lineage
from jobs.run import whereabouts
from jobs.run.asking import Question
from jobs.run.forget import forget
from tests.acceptance.canary import HOLDERS, VALUES, holding, person_ids, secrets
from tests.acceptance.conftest import ROOT, WholeRun, environment, run_once
from tests.integration.airflow_stand_in import Users, serving
from tests.integration.test_extract import bucket, filled
from tests.integration.two_releases import OFFICERS

__all__ = ["bucket"]


def test_every_record_and_every_row_is_accounted_for(whole_run: WholeRun):
    found = whole_run.summary()
    for source in found["sources"]:
        assert source["landed"] > 0 and source["waiting"] == 0
        assert sum(source[o] for o in Outcome) == source["landed"]
        raw = whole_run.lake.arrow(f"raw.{source['source']}", columns=["position"]).num_rows
        assert raw == source["landed"]
    for product in found["products"]:
        assert product["permitted"] + product["withheld"] == product["considered"]
        assert product["released"] + product["suppressed"] == product["built"]


def test_the_closing_table_says_it_all(whole_run: WholeRun):
    for word in (*catalog().sources, *catalog().products, "officer (approved)", "pandas:", "Polars:", "DuckDB:",
                 "s3://glycemia", "log-in", "no process is left"):
        assert word in whole_run.output, word


def test_the_extract_was_approved_by_another_user_than_asked_for_it(whole_run: WholeRun):
    extracts = whole_run.summary()["extracts"]
    assert len(extracts) == 1
    assert (extracts[0]["requester"], extracts[0]["approver"]) == ("engineer", "officer")
    assert extracts[0]["delivered_to"] and extracts[0]["rows"] > 0
    approval = whole_run.lake.arrow("ledger.approval").to_pylist()[0]
    assert approval["proof"].startswith("extract_glycemia_institute/") and approval["manifest_sha256"] == extracts[0]["manifest_sha256"]
    assert public_key(whole_run.home / "keys")


def test_every_delivered_column_comes_from_a_payload(whole_run: WholeRun):
    extract = whole_run.summary()["extracts"][0]["extract"]
    steps = json.loads(whole_run.command("lineage", extract, "--json"))
    for column in catalog().recipients["glycemia_institute"].table.columns:
        reached = {f"extract.{extract}.{column.name}"}
        for step in steps:
            if step["column"] in reached:
                reached.add(step["from"])
        assert any(name.startswith("raw.") and ".payload." in name for name in reached), column.name


def test_every_stage_left_an_event_and_an_audit_entry(whole_run: WholeRun):
    events = lineage.events(whole_run.settings)
    audit = whole_run.lake.arrow("ledger.audit").to_pylist()
    assert {e["run"]["runId"] for e in events} == {a["run_id"] for a in audit}
    assert {a["stage"] for a in audit} == {"land", "conform", "screen", "purge", "resolve", "link.train", "build", "release",
                                           "extract.prepare", "extract.record", "extract.deliver", "recall", "freshness"}
    assert not [a for a in audit if a["result"] == "failed"]
    found = json.loads(whole_run.command("audit", "verify", "--json"))  # Stages ran side by side, in processes of their own.
    assert found["entries"] == len(audit) and found["faults"] == []


def test_the_canary_is_found_nowhere_outside_the_zones_that_hold_persons(whole_run: WholeRun):
    wanted = [v.encode() for v in (*VALUES, *person_ids(whole_run.home))]
    assert len(holding(whole_run.home, wanted[:1], ("sources",))) > 3, "the search itself must be able to find"
    assert holding(whole_run.home, wanted, HOLDERS) == []
    assert not [v for v in wanted if v.decode() in whole_run.output]


def test_the_canary_is_in_the_products_under_a_pseudonym(whole_run: WholeRun):
    app_id = json.loads((whole_run.home / "sources" / "truth.json").read_text(encoding="utf-8"))["people"][0]["app"][0]
    links = whole_run.lake.arrow("vault.link").to_pylist()
    person = next(r["person_key"] for r in links if r["source_person_id"] == app_id)
    assert len([r for r in links if r["person_key"] == person]) >= 3, "app, CRM and device cloud are one person"
    names = {r["pseudonym"] for r in whole_run.lake.arrow("vault.pseudonym").to_pylist() if r["person_key"] == person}
    assert len(names) == 2 and person not in names
    assert names & set(whole_run.lake.arrow("product.glucose_daily")["person_id"].to_pylist())


def test_keys_are_nowhere_but_in_the_key_store(whole_run: WholeRun):
    wanted = secrets(whole_run.home)
    assert holding(whole_run.home, wanted, ()), "the search itself must be able to find"
    assert holding(whole_run.home, wanted, ("keys",)) == []
    assert not [p for p in (whole_run.home / "keys").iterdir() if p.stat().st_mode & 0o077]


def test_the_notebook_runs_on_the_released_products(whole_run: WholeRun, tmp_path):
    source = ROOT / "notebooks" / "released_products.ipynb"
    code = ("import nbformat, sys; from nbclient import NotebookClient; nb = nbformat.read(sys.argv[1], 4); "
            "NotebookClient(nb, timeout=300, kernel_name='python3').execute(); "
            "print(sum('image/png' in o.get('data', {}) for c in nb.cells for o in c.get('outputs', [])))")
    done = subprocess.run([sys.executable, "-c", code, str(source)], capture_output=True, text=True, timeout=400, cwd=tmp_path,
                          env={**environment(whole_run.home), "PYTHONPATH": str(ROOT), "HOME": os.environ["HOME"]})
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[-1] == "2", "two plots"


def test_a_second_run_changes_nothing_that_did_not_change(whole_run: WholeRun):
    """Its commands are processes as a newcomer's are, each with its own imports."""
    whereabouts.complete(whole_run.settings, whole_run.lake)  # Stages side by side leave the index to one another.
    before = {name: whole_run.lake.version(name) for name in catalog().tables if name != "ledger.audit"}
    output = run_once(whole_run.home)
    after = {name: whole_run.lake.version(name) for name in before}
    assert after == before
    assert "nothing new" in output and "no process is left" in output


def test_who_withdraws_in_the_crm_is_out_one_flow_later_and_recalled(whole_run: WholeRun, program: Path):
    held = {number: people(whole_run, number) for number in releases(whole_run)}  # more than one where a source came late
    earlier = whole_run.summary()["withdrawals"]
    marked, before = {m["number"] for m in earlier["superseded"]}, held[max(held)]
    profiles = people(whole_run, max(held), "patient_profile")
    output = run_once(whole_run.home, "--withdraw", "3", program=program)
    contacts = {row["contact"] for row in json.loads((whole_run.home / "sources" / "withdrawn.json").read_text(encoding="utf-8"))}
    keys = {r["person_key"] for r in whole_run.lake.arrow("vault.link").to_pylist() if r["source_person_id"] in contacts}
    ours, theirs = ({r["pseudonym"] for r in whole_run.lake.arrow("vault.pseudonym").to_pylist()
                     if r["domain"] == domain and r["person_key"] in keys} for domain in ("engagement", "glycemia_institute"))
    assert len(contacts) == 3 and ours & before
    assert people(whole_run, max(releases(whole_run))) == before - ours
    found = whole_run.summary()["withdrawals"]
    assert found["withdrawals"] - earlier["withdrawals"] == len(ours & (before | profiles))
    assert found["said_to_released"]["count"] - earlier["said_to_released"]["count"] == len(ours & before) + len(ours & profiles)
    assert [(m["number"], m["product"], m["because"]) for m in found["superseded"]
            if m["number"] not in marked and m["product"] == "glucose_daily"] == [
        (number, "glucose_daily", "withdrawal") for number in sorted(held) if held[number] & ours and number not in marked]
    folder = whole_run.home / "lake" / "_extracts" / "glycemia_institute"
    sent = {r["extract_id"] for r in whole_run.lake.arrow("ledger.delivery").to_pylist()}
    named = {name for extract in sent for notice in (folder / extract).glob("recall-*.json")
             for name in json.loads(notice.read_text(encoding="utf-8"))["delete"]}
    assert named <= theirs and len(named) == sum(r["people"] for r in found["recalls"]) == found["said_to_recalled"]["count"]
    assert f"Withdrawals that took effect: {found['withdrawals']}; superseded releases: {releases_of(found['superseded'])};" in output
    assert "out of the release" in output and "after it was said" in output


def test_of_whom_is_forgotten_no_byte_is_left(whole_run: WholeRun, tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch):
    """Last of all, on a copy: by two of six ids everything goes, their name in payloads, models and older versions too."""
    shutil.copytree(whole_run.home, tmp_path / "home", ignore=shutil.ignore_patterns("airflow", "store"))
    made = whole_run.settings.model_copy(update={"home": tmp_path / "home", "lake": str(tmp_path / "home" / "lake")})
    wanted = [v.encode() for v in (*VALUES, *person_ids(made.home))]
    kept = ("sources", "lake/safety")
    assert len(holding(made.home, wanted, kept)) > 20, "the search itself must be able to find"
    with serving(Users()) as address, filled(bucket, monkeypatch, {}):
        monkeypatch.setenv("CONCORD_CONNECTION_CONCORD_AIRFLOW", json.dumps({"base_url": address}))
        _, in_crm, _, on_social, *_ = person_ids(made.home)  # By what they write nobody ties them to the others.
        persons = [{"source": "crm", "source_person_id": in_crm}, {"source": "social", "source_person_id": on_social}]
        given = {"persons": persons, "reason": "asked by letter", "token": OFFICERS}
        facts = forget(made, Question(json.dumps(given).encode())).facts
    assert facts["unknown"] == facts["found"] == 0 and facts["rows"] > 100
    assert holding(made.home, wanted, kept) == []
    lake = Lake(made.lake_root, catalog().tables)
    assert {row["table_name"].split(".")[0] for row in lake.arrow("ledger.account").to_pylist() if row["stage"] == "forget"} == {
        "raw", "core", "vault", "product"}
    left = {(pin["number"], pin["product"]): lake.arrow(f"product.{pin['product']}", pin["table_version"]).num_rows
            for pin in lake.arrow("ledger.release").to_pylist()}
    lost = {(pin["number"], pin["product"]): pin["rows"] - left[pin["number"], pin["product"]]
            for pin in lake.arrow("ledger.release").to_pylist()}
    said = {(row["number"], row["product"]): row["rows"] for row in lake.arrow("ledger.erased_release").to_pylist()}
    assert said == {where: rows for where, rows in lost.items() if rows} and (1, "glucose_daily") in said


def releases_of(marks: list[dict]) -> int:
    """How many releases were superseded, each with all its products."""
    return len({(mark["release_group"], mark["number"]) for mark in marks})


def releases(whole_run: WholeRun) -> set[int]:
    """The numbers of the releases so far."""
    return {pin["number"] for pin in whole_run.lake.arrow("ledger.release").to_pylist() if pin["product"] == "glucose_daily"}


def people(whole_run: WholeRun, release: int, product: str = "glucose_daily") -> set[str]:
    """The pseudonyms in a release of a product."""
    pin = next(p for p in whole_run.lake.arrow("ledger.release").to_pylist()
               if (p["product"], p["number"]) == (product, release))
    return set(whole_run.lake.arrow(f"product.{product}", pin["table_version"])["person_id"].to_pylist())
