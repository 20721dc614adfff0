"""One source that Airflow refuses leaves the other sources their DAGs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from contracts.load import check_files
from tests.contracts.broken import OWN, SOCIAL

ROOT = OWN.parent


def test_a_source_that_makes_no_dag_is_said_and_the_others_stay(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    text = (OWN / SOCIAL).read_text("utf-8").replace("id: social", "id: forum", 1)
    path = tmp_path / "sources" / "forum.yaml"
    path.write_text(text.replace("tags: [social]", f"tags: [{'x' * 200}]"), "utf-8")
    assert check_files([path]) == 1
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run([sys.executable, str(ROOT / "tests" / "dags" / "parse.py"), str(ROOT / "dags")], text=True,
                          capture_output=True, check=True, env=kept | {
                              "AIRFLOW_HOME": str(tmp_path / "home"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                              "PYTHONPATH": str(ROOT), "CONCORD_CONTRACTS": str(tmp_path)})
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["errors"] == {}
    assert {name for name in found["dags"] if name.startswith("source_")} == {
        f"source_{path.stem}" for path in (OWN / "sources").glob("*.yaml")}
    assert "forum.yaml makes no DAG" in done.stdout + done.stderr
