"""One DAG ``release_<group>`` per release group: gate the candidates and pin them, when any of them changed."""

from __future__ import annotations

from access import in_force
from airflow.sdk import DAG
from assets import any_of, asset
from deadlines import deadlines
from task import DEFAULTS, ConcordTask

from contracts import catalog
from contracts.model import Product


def release_dag(group: str, products: tuple[Product, ...]) -> DAG:
    """All products of a group that may run are pinned in one commit, so that readers never see a mixture."""
    names = ", ".join(p.name for p in products)
    with DAG(f"release_{group}", schedule=any_of(p.table.name for p in products), catchup=False, max_active_runs=1,
             default_args={**DEFAULTS, "owner": products[0].owner}, tags=["release"], description=names,
             deadline=deadlines("product", *products), doc_md=f"# Release group {group}\n\n{names}") as dag:
        ConcordTask(task_id="release", arguments=("release", group),
                    outlets=[asset(f"ledger.{name}") for name in ("release", "superseded", "withdrawal")])
    return dag


for name, members in catalog().release_groups().items():
    if made := tuple(filter(in_force, members)):
        globals()[f"release_{name}"] = release_dag(name, made)
