"""The arrows of the house, and the sizes of its files and functions."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES, MOST_FUNCTION_LINES, MOST_DAG_LINES = 300, 40, 60

# Folder or file -> top-level or dotted modules it may not import.
FORBIDDEN = {
    "contracts": ("expectations", "jobs", "dags", "infra", "pyspark", "great_expectations", "deltalake"),
    "expectations": ("jobs", "dags", "infra", "pyspark", "deltalake"),
    "dags": ("jobs", "expectations", "infra", "pyspark", "great_expectations", "pandas", "deltalake"),
    "jobs": ("dags", "infra", "airflow"),
    "jobs/stages": ("jobs.lake", "jobs.run", "jobs.ledger", "jobs.settings", "jobs.engine", "jobs.check", "os", "time", "deltalake"),
    "jobs/matching": ("jobs.lake", "jobs.run", "jobs.ledger", "jobs.stages", "jobs.settings", "pyspark", "deltalake"),
    "jobs/anonymity": ("jobs.lake", "jobs.run", "jobs.ledger", "jobs.stages", "jobs.settings", "deltalake", "time"),
    "jobs/drift": ("jobs.lake", "jobs.run", "jobs.ledger", "jobs.stages", "jobs.settings", "pyspark", "deltalake", "os", "time"),
    "jobs/ledger": ("jobs.run", "jobs.stages", "pyspark"),
}
PRODUCTS_MAY = {"__future__", "pyspark", "functools", "typing", "collections"}
NETWORK_MAY = ("jobs/connectors/", "jobs/airflow_api.py", "jobs/delivery.py", "jobs/key_stores.py", "jobs/storage.py")


@lru_cache(maxsize=1)
def sources() -> tuple[Path, ...]:
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"], cwd=ROOT,
                           capture_output=True, text=True, check=True).stdout.split()
    return tuple(ROOT / name for name in names if (ROOT / name).exists())


def below(folder: str) -> Iterator[Path]:
    return (path for path in sources() if path.relative_to(ROOT).as_posix().startswith(folder + "/"))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_arrows_point_one_way(folder: str):
    files = list(below(folder))
    assert files
    wrong = [f"{path.relative_to(ROOT)} imports {name}" for path in files for name in imports(path)
             for bad in FORBIDDEN[folder] if name == bad or name.startswith(bad + ".")]
    assert wrong == []


def test_products_import_only_pyspark():
    wrong = [f"{path.name} imports {name}" for path in below("jobs/products") for name in imports(path)
             if name.split(".")[0] not in PRODUCTS_MAY]
    assert wrong == []


def test_only_the_lake_touches_delta_and_only_connectors_the_network():
    for path in below("jobs"):
        name, found = path.relative_to(ROOT).as_posix(), {n.split(".")[0] for n in imports(path)}
        assert "deltalake" not in found or name == "jobs/lake.py", name
        assert not found & {"requests", "boto3", "httpx"} or name.startswith(NETWORK_MAY), name


def test_stages_ask_no_clock():
    wrong = [f"{path.name}:{node.lineno}" for path in below("jobs/stages") for node in ast.walk(tree(path))
             if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today", "environ")]
    assert wrong == []


def test_partitions_are_never_overwritten_dynamically():
    assert not [p for p in below("jobs") if "partitionOverwriteMode" in p.read_text(encoding="utf-8")]


def test_nothing_in_jobs_prints():
    wrong = [path.name for path in below("jobs") for node in ast.walk(tree(path))
             if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"]
    assert wrong == []


def test_files_and_functions_are_small_and_names_plain():
    long_files = {p.name: n for p in sources() if (n := p.read_text(encoding="utf-8").count("\n")) >
                  (MOST_DAG_LINES if p.parent.name == "dags" and p.parent.parent == ROOT else MOST_LINES)}
    assert long_files == {}
    long_functions = [f"{path.relative_to(ROOT)}:{node.name}" for path in sources() for node in ast.walk(tree(path))
                      if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                      and (node.end_lineno or 0) - node.lineno + 1 > MOST_FUNCTION_LINES]
    assert long_functions == []
    assert not [p for p in sources() if p.stem in ("utils", "helpers", "common", "util", "misc")]
