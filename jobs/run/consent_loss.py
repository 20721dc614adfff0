"""The consent-loss report of a candidate: made with it from the same decisions, gated with it, read through its pin."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from contracts import catalog
from contracts.consent_loss import NOTED, attributes, limits, table_of
from contracts.model import Product
from jobs.ledger import releases
from jobs.read import released
from jobs.run.gated import gate
from jobs.run.shell import Shell
from jobs.schema import spark_schema
from jobs.settings import Settings
from jobs.stages import balance
from jobs.stages import consent_loss as stage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def write(shell: Shell, product: Product, versions: dict[str, int], links: DataFrame, decisions: DataFrame,
          now: datetime) -> dict[str, int]:
    """Write a product's report; what the candidate's note says of it, nothing for a product that rests on no consent.

    versions: of the inputs. The candidate is committed after its report, so what a killed build leaves behind is a
    report that no candidate names.
    """
    if not product.legal_basis.rests_on_consent:
        return {}
    name, lake = table_of(product.id), shell.lake
    compared = attributes(product, shell.catalog.tables, shell.catalog.sources.values())
    read = {a.table: versions.get(a.table, lake.version(a.table)) for a in compared}
    described = {table: lake.read(table, version if version >= 0 else None) for table, version in read.items()}
    people = stage.considered([lake.read(n, versions[n]) for n in product.inputs], links, decisions)
    people = stage.described(people, links, described, compared, now.astimezone(UTC).date())
    exact: dict[str, dict[str, tuple[int, int]]] = {}
    for row in stage.counts(people, compared).collect():
        exact.setdefault(row["attribute"], {})[row["level"]] = (row["people_in"], row["people_out"])
    minimum, rounding = limits(product)
    rows = balance.report(exact, compared, minimum, rounding)
    columns = [c.name for c in lake.contract(name).columns]
    frame = lake.spark.createDataFrame([tuple(r[c] for c in columns) for r in rows], spark_schema(lake.contract(name)))
    version = lake.replace(name, frame, note={"minimum_cell": minimum, "rounding": rounding, "described_by": read,
                                              "as_of": now.isoformat(), "condition_review": product.condition_review})
    shell.report.change(name)
    shell.trail.reads(*read)
    origins = [f"{a.table}.{column}" for a in compared for column in a.columns]
    shell.trail.writes(name, {"attribute": origins, "level": origins})
    return {NOTED: version}


def check(shell: Shell, product: Product, candidate: str, note: Mapping[str, Any], now: datetime) -> None:
    """Hold a candidate's report to its contract. Raises GateFailed."""
    if product.legal_basis.rests_on_consent:
        name = table_of(product.id)
        gate(shell, candidate, shell.lake.read(name, note[NOTED]), shell.lake.contract(name), now)


def report(settings: Settings, product: str, release: int | None) -> dict[str, Any]:
    """A released report with what it is about; ``rows`` in order. Raises LakeError."""
    contracts = catalog()
    pinned = released(product, release, settings)
    held = pinned.consent_loss()
    group = contracts.products[product].release_group
    pin = next(p for p in releases.of(pinned.lake, group) if (p["product"], p["number"]) == (product, pinned.release))
    note = pinned.lake.note(table_of(product), held.version)
    return {"product": product, "name": contracts.products[product].name, "release": pinned.release, "release_group": group,
            "contract_version": pin["contract_version"], "decided_at": pin["decided_at"].isoformat(timespec="seconds"),
            "purposes": [str(p) for p in contracts.products[product].purposes],
            "minimum_cell": note["minimum_cell"], "rounding": note["rounding"],
            "condition_review": note.get("condition_review"), "table_version": held.version,
            "rows": sorted(held.arrow().to_pylist(), key=lambda r: r["position"])}
