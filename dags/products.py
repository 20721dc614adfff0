"""One DAG ``product_<name>`` per product contract: build a candidate when anything it rests on changed."""

from __future__ import annotations

from access import in_force
from airflow.sdk import DAG
from assets import PERMIT, any_of, any_of_or_nightly, asset
from deadlines import deadlines
from task import DEFAULTS, ConcordTask

from contracts import catalog
from contracts.model import Product


def product_dag(product: Product) -> DAG:
    """A product that rests on consent is also built anew when a consent, a link, a held match or an age changed.

    And every night: consents run out and people come of age by time alone; a build that would change nothing is none. So is
    one whose contract promises a frequency: a look is what it promises.
    """
    tables = (*product.inputs, *(PERMIT if product.legal_basis.rests_on_consent else ("vault.link",)))
    looks = product.legal_basis.rests_on_consent or any(level.promise == "frequency" for level in product.service_levels)
    schedule = any_of_or_nightly(tables) if looks else any_of(tables)
    with DAG(f"product_{product.id}", schedule=schedule, catchup=False, max_active_runs=1,
             default_args={**DEFAULTS, "owner": product.owner}, tags=["product", *product.tags],
             deadline=deadlines("product", product), description=product.name,
             doc_md=f"# {product.name}\n\n{product.description}") as dag:
        ConcordTask(task_id="build", arguments=("build", product.id), outlets=[asset(product.table.name)])
    return dag


for contract in filter(in_force, catalog().products.values()):
    globals()[f"product_{contract.id}"] = product_dag(contract)
