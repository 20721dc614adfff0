"""What Concord writes, against the standards' own files: contracts against odcs, lineage against openlineage, and the
closed vocabularies against consent/dpv."""

from __future__ import annotations

import ast
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import FormatChecker
from jsonschema.validators import validator_for
from referencing import Registry, Resource

from contracts import vocabulary
from contracts.load import KINDS, TABLE_KINDS, folders
from contracts.vocabulary import Term
from tests.external.lineage_flow import Event, Flow, flow
from tests.external.published import PROJECT, files, needs, read_csv, read_json

CONTRACTS = sorted(p for kind in (*TABLE_KINDS, *KINDS) for p in (folders()[0] / kind).glob("*.yaml"))
DPV = "https://w3id.org/dpv#"
# Vocabularies whose terms are of one kind in DPV: a measure that an organisation takes is no purpose.
DPV_KINDS: dict[type[Term], str] = {vocabulary.Purpose: "Purpose", vocabulary.LegalBasis: "LegalBasis",
                                    vocabulary.ConsentDecision: "ConsentStatus"}


def registry() -> Registry:
    """OpenLineage's schemas by their addresses; anything else cannot be resolved, so nothing is fetched."""
    found = [read_json(path) for path in files("openlineage/OpenLineage.json") + files("openlineage/facets/*.json")]
    return Registry().with_resources([(schema["$id"], Resource.from_contents(schema)) for schema in found])


def errors(schema: dict[str, Any], instance: object) -> list[str]:
    """What a schema says against an instance."""
    validator = validator_for(schema)(schema, registry=registry(), format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(instance)]


def facets(event: Event) -> list[tuple[str, dict[str, Any]]]:
    """Every facet of an event with its name: of the run, the job and the datasets."""
    holders = [event["run"], event["job"], *event.get("inputs", []), *event.get("outputs", [])]
    return [facet for holder in holders for key in ("facets", "inputFacets", "outputFacets")
            for facet in holder.get(key, {}).items()]


def terms() -> list[Term]:
    """Every term of every closed vocabulary."""
    kinds = [k for k in vars(vocabulary).values() if isinstance(k, type) and issubclass(k, Term) and k is not Term]
    return [term for kind in kinds for term in kind]


@needs("odcs/odcs-json-schema-v3.1.0.json")
@pytest.mark.parametrize("path", CONTRACTS, ids=lambda p: p.stem)
def test_odcs_every_contract_follows_version_3_1(path: Path) -> None:
    schema, contract = read_json(files("odcs/*v3.1.0.json")[0]), yaml.safe_load(path.read_text("utf-8"))
    assert errors(schema, contract) == []
    assert contract["apiVersion"] == "v3.1.0"
    assert errors(schema, {**contract, "strange": True}) and errors(schema, {**contract, "version": 1})


@pytest.fixture(scope="module")
def done(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Flow:
    return flow(tmp_path_factory.mktemp("lineage"), engine)


@needs("openlineage/OpenLineage.json", "openlineage/facets")
def test_openlineage_every_run_of_a_stage_writes_one_event(done: Flow) -> None:
    assert [event["job"]["name"] for event in done.events] == done.runs
    assert [event["eventType"] for event in done.events] == [
        "FAIL" if name.startswith("keys.retire.") else "COMPLETE" for name in done.runs[:-1]] + ["FAIL"]
    held = Counter((row["run_id"], f"{row['stage']}.{row['subject']}") for row in done.audit)
    assert held == Counter((event["run"]["runId"], event["job"]["name"]) for event in done.events)
    assert set(held.values()) == {1}


@needs("openlineage/OpenLineage.json", "openlineage/facets")
def test_openlineage_the_runs_are_those_of_every_stage(done: Flow) -> None:
    """Whoever opens a shell is a stage; a new one must be run here too."""
    opened = [call.args[1] for path in (PROJECT / "jobs" / "run").glob("*.py") for call in ast.walk(ast.parse(path.read_text("utf-8")))
              if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "open_shell"]
    stages = {str(argument.value) for argument in opened if isinstance(argument, ast.Constant)}
    assert len(opened) == len(stages) >= 9
    assert {stage for stage in stages if any(run.startswith(f"{stage}.") for run in done.runs)} == stages


@needs("openlineage/OpenLineage.json", "openlineage/facets")
def test_openlineage_every_event_and_facet_is_valid(done: Flow) -> None:
    schema = read_json(files("openlineage/OpenLineage.json")[0])
    by_facet = {name: facet for path in files("openlineage/facets/*.json")
                for facet in [read_json(path)] for name in facet.get("properties", {})}
    seen = Counter(name for event in done.events for name, _ in facets(event))
    for event in done.events:
        assert errors(schema, event) == []
        assert datetime.fromisoformat(event["eventTime"]).tzinfo
        for name, facet in facets(event):
            assert errors(by_facet[name], {name: facet}) == []
            assert facet["_schemaURL"].partition("#")[0] == by_facet[name]["$id"]
    assert seen["columnLineage"] >= 5 and seen["schema"] >= 5
    assert errors(schema, {**done.events[0], "run": {"runId": "1"}})


@needs("openlineage/OpenLineage.json", "openlineage/facets")
def test_openlineage_every_origin_is_a_dataset_that_was_read_or_written(done: Flow) -> None:
    """Columns of an extract lead back to payloads without a gap."""
    written = {output["name"] for event in done.events for output in event["outputs"]}
    raw = {f"raw.{source.stem}" for source in CONTRACTS if source.parent.name == "sources"}
    for event in done.events:
        for output in event["outputs"]:
            fields = output.get("facets", {}).get("columnLineage", {}).get("fields", {})
            named = {origin["name"] for field in fields.values() for origin in field["inputFields"]}
            assert all(name in written | raw or name.startswith("core.") for name in named), (output["name"], named)


@needs("consent/dpv/dpv.csv")
def test_dpv_every_iri_is_a_term_that_is_not_deprecated() -> None:
    published = {row["iri"]: row for path in files("consent/dpv/*.csv") for row in read_csv(path)}
    named = [term for term in terms() if term.dpv]
    assert len(named) > 20 and len(published) > 1000
    assert [term.dpv for term in named if term.dpv not in published] == []
    assert [term.dpv for term in named if published[str(term.dpv)]["type"] != "class"] == []
    assert [term.dpv for term in named if "deprecated" in " ".join(published[str(term.dpv)].values()).lower()] == []


@needs("consent/dpv/dpv.csv")
@pytest.mark.parametrize("kind", DPV_KINDS, ids=lambda kind: kind.__name__)
def test_dpv_terms_are_of_their_vocabularys_kind(kind: type[Term]) -> None:
    published = {row["iri"]: row for path in files("consent/dpv/*.csv") for row in read_csv(path)}
    wrong = [term.dpv for term in kind if term.dpv and DPV + DPV_KINDS[kind] not in published[term.dpv]["dpvtype"].split(";")]
    assert wrong == [] and any(term.dpv for term in kind)
