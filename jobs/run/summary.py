"""summary: what became of every record and row, for people as tables and for machines as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from contracts.load import Catalog, catalog
from contracts.model import Product
from contracts.vocabulary import Outcome
from jobs.errors import IntegrityError
from jobs.files import Files
from jobs.lake import Lake
from jobs.ledger import accounts, batches, extracts, releases, replays, withdrawals
from jobs.run.delivered import folder
from jobs.run.product import candidate_id
from jobs.settings import Settings
from jobs.stages.extract import MANIFEST


def summary(settings: Settings) -> dict[str, Any]:
    """Sources, products, extracts and withdrawals as the ledger knows them.

    Raises IntegrityError when what was landed, considered or built is not what is accounted for.
    """
    contracts = catalog()
    lake = Lake(settings.lake_root, contracts.tables)
    return {"at": datetime.now(UTC).isoformat(timespec="seconds"), "lake": lake.root,
            "sources": [_source(lake, name) for name in sorted(contracts.sources)],
            "products": [_product(lake, p) for _, p in sorted(contracts.products.items())],
            "safety_candidates": lake.arrow("safety.candidate", columns=["source"]).num_rows,
            "persons": len(set(lake.arrow("vault.link", columns=["person_key"])["person_key"].to_pylist())),
            "extracts": _extracts(settings, contracts, lake), "withdrawals": withdrawals.overview(lake)}


def _source(lake: Lake, source: str) -> dict[str, Any]:
    landed = batches.of(lake, source)
    entries = [row for row in accounts.of(lake, {b["batch_id"] for b in landed}) if row["stage"] == "conform"]
    # What a replay took up has the outcome that it has since.
    again = replays.entries(lake, source)
    entries += [{**row, "rows": -row["rows"] if row["stage"] == replays.TAKEN else row["rows"]} for row in again]
    outcomes = {str(o): sum(r["rows"] for r in entries if r["outcome"] == o) for o in Outcome}
    waiting = sum(b["rows"] for b in landed if b["conformed_at"] is None)
    total = sum(b["rows"] for b in landed)
    if sum(outcomes.values()) + waiting != total:
        raise IntegrityError(f"source {source}: {total} records landed, {sum(outcomes.values())} have an outcome and "
                             f"{waiting} wait")
    reasons: dict[str, int] = {}
    for row in entries:
        if row["outcome"] == Outcome.REJECTED:
            reasons[row["reason_code"]] = reasons.get(row["reason_code"], 0) + row["rows"]
    replayed = sum(row["rows"] for row in again if row["stage"] == replays.STAGE)
    return {"source": source, "batches": len(landed), "landed": total, "waiting": waiting, **outcomes, "replayed": replayed,
            "reasons": {reason: rows for reason, rows in reasons.items() if rows}}


def _product(lake: Lake, product: Product) -> dict[str, Any]:
    pin = next((p for p in reversed(releases.of(lake, product.release_group)) if p["product"] == product.id), None)
    if pin is None:
        return {"product": product.id, "release": None}
    rows = accounts.of(lake, {candidate_id(product.id, pin["table_version"])})
    count = {(r["stage"], r["outcome"]): 0 for r in rows}
    withheld: dict[str, int] = {}
    for r in rows:
        count[r["stage"], r["outcome"]] += r["rows"]
        if r["outcome"] == "withheld":
            withheld[r["reason_code"]] = withheld.get(r["reason_code"], 0) + r["rows"]
    permitted, released = count.get(("permit", "permitted"), 0), count.get(("protect", "released"), 0)
    suppressed = count.get(("protect", "suppressed"), 0)
    if released != pin["rows"]:
        raise IntegrityError(f"product {product.id}: {pin['rows']} rows are pinned but its account released {released}")
    return {"product": product.id, "release": pin["number"], "version": pin["table_version"],
            "path": lake.path(product.table.name), "rests_on_consent": product.legal_basis.rests_on_consent,
            "considered": permitted + sum(withheld.values()), "permitted": permitted,
            "withheld": sum(withheld.values()), "withheld_by": withheld, "built": released + suppressed,
            "suppressed": suppressed, "released": released,
            **{name: pin[name] for name in ("match_model_id", "false_match_rate", "missed_match_rate")}}


def _extracts(settings: Settings, contracts: Catalog, lake: Lake) -> list[dict[str, Any]]:
    found = []
    for row in sorted(lake.arrow(extracts.EXTRACT).to_pylist(), key=lambda r: r["prepared_at"]):
        recipient = contracts.recipients[row["recipient"]]
        approvals = extracts.of(lake, extracts.APPROVAL, row["extract_id"])
        deliveries = extracts.of(lake, extracts.DELIVERY, row["extract_id"])
        content = Files(folder(settings, recipient, row["extract_id"])).read(MANIFEST)
        entries = accounts.of(lake, {row["extract_id"]})
        found.append({
            "extract": row["extract_id"], "recipient": row["recipient"], "rows": row["rows"], "requester": row["requester"],
            "approver": approvals[0]["approver"] if approvals else None,
            "decision": approvals[0]["decision"] if approvals else "waiting",
            "delivered_to": deliveries[0]["destination"] if deliveries else None,
            "withheld": sum(e["rows"] for e in entries if e["outcome"] == "withheld"),
            "suppressed": sum(e["rows"] for e in entries if e["outcome"] == "suppressed"),
            "manifest_sha256": row["manifest_sha256"],
            "expires_at": json.loads(content)["expires_at"] if content else None})
    return found
