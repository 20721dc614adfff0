"""extract: prepare what a partner may have, record who approved it, deliver it."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq

from contracts.model import Recipient
from jobs import keys
from jobs.airflow_api import Airflow
from jobs.delivery import upload
from jobs.errors import LakeError, NotApproved
from jobs.files import Files
from jobs.lake import Lake
from jobs.ledger import extracts, releases
from jobs.run import consent, entitled, epochs, extract_rows, linkage
from jobs.run.delivered import folder
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings
from jobs.stages import extract as stage
from jobs.turn import turn
from jobs.workspace import workspace


def prepare(settings: Settings, recipient_id: str, dag_run: tuple[str, str]) -> Report:
    """Make the files and the signed manifest of an extract, one for each run that asks for it.

    Nothing is made when the recipient already has this release under this contract and these consents.
    Raises NotApproved when nobody logged in asks or the agreement ended, LakeError when nothing is released yet, ContractChanged
    when the product's contract was edited since, Linkable when it tells too much beside what was delivered before.
    """
    with open_shell(settings, "extract.prepare", recipient_id, with_engine=True) as shell:
        recipient, lake, now = shell.catalog.recipients[recipient_id], shell.lake, datetime.now(UTC)
        stage.refuse_inactive(recipient, shell.catalog.products[recipient.product])
        stage.refuse_expired_agreement(recipient, now.date())
        requester = Airflow().requester(*dag_run)
        extract_id = _name(recipient.id, dag_run)
        pin, snapshot = _pinned(shell, recipient), consent.versions(shell)
        stage.refuse_edited(shell.catalog.products[recipient.product], pin)
        files = Files(folder(settings, recipient, extract_id))
        content = files.read(stage.MANIFEST) if files.read(stage.SIGNATURE) else None
        if content is None:
            epoch = epochs.newest(lake, recipient.pseudonym_domain)
            if _has_it(shell, recipient, pin, snapshot, epoch):
                return shell.report
            content = _made(shell, recipient, extract_id, pin, snapshot, epoch, files, now)
        body = json.loads(content)
        digest = hashlib.sha256(content).hexdigest()
        extracts.write(lake, extracts.EXTRACT, {
            "extract_id": extract_id, "recipient": recipient.id, "manifest_sha256": digest,
            "release_group": pin["release_group"], "release_number": body["release"]["number"], "requester": requester,
            "rows": sum(f["rows"] for f in body["files"]), "prepared_at": datetime.fromisoformat(body["created_at"])})
        shell.report.change(extracts.EXTRACT)
        shell.report.facts.update(extract_id=extract_id, manifest_sha256=digest, rows=sum(f["rows"] for f in body["files"]),
                                  told=stage.told(body["anonymity"], body["linked"]), **body["linked"])
        shell.trail.reads(f"product.{recipient.product}", *consent.TABLES)
        shell.trail.writes(f"extract.{extract_id}", {c.name: list(c.origins) for c in recipient.table.columns})
        return shell.report


def record(settings: Settings, extract_id: str, dag_run: tuple[str, str]) -> Report:
    """Write into our own ledger who answered the approval task of a run, as Airflow's API tells.

    Raises NotApproved when nobody answered, when the answer was given for another manifest, or when the one who
    approved may not; nothing is written then. A rejection is written too.
    """
    with open_shell(settings, "extract.record", extract_id, with_engine=False) as shell:
        entry = extracts.find(shell.lake, extract_id)
        recipient = shell.catalog.recipients[entry["recipient"]]
        if extract_id != _name(recipient.id, dag_run):
            raise NotApproved(f"run {dag_run[1]} did not ask for {extract_id}; only the run that did can approve it")
        airflow = Airflow()
        requester, answer = airflow.requester(*dag_run), airflow.answer(*dag_run)
        if entry["manifest_sha256"] not in answer.shown or extract_id not in answer.shown:
            raise NotApproved(f"the approval of run {dag_run[1]} shows another extract or manifest than {extract_id}")
        if answer.is_approved:
            for asked in (requester, entry["requester"]):
                stage.refuse_approver(recipient, answer.approver, asked)
        extracts.write(shell.lake, extracts.APPROVAL, {
            "extract_id": extract_id, "manifest_sha256": entry["manifest_sha256"], "approver": answer.approver,
            "decision": "approved" if answer.is_approved else "rejected", "requester": requester, "proof": answer.proof,
            "decided_at": datetime.fromisoformat(answer.responded_at.replace("Z", "+00:00"))})
        shell.report.change(extracts.APPROVAL)
        shell.report.facts.update(extract_id=extract_id, approver=answer.approver,
                                  decision="approved" if answer.is_approved else "rejected")
        return shell.report


def deliver(settings: Settings, extract_id: str) -> Report:
    """Deliver an extract that an approver of its contract approved. Delivered once, it is not delivered again.

    Raises NotApproved unless approval, signature, files, contract and expiry all hold, everybody in it still permits
    it, and the recipient has nothing newer, ContractChanged when the product's contract was edited since its release,
    Linkable when it tells too much beside what was delivered since; nothing leaves then.
    """
    with open_shell(settings, "extract.deliver", extract_id, with_engine=True) as shell:
        lake, now = shell.lake, datetime.now(UTC)
        entry = extracts.find(lake, extract_id)
        recipient = shell.catalog.recipients[entry["recipient"]]
        stage.refuse_inactive(recipient, shell.catalog.products[recipient.product])
        files = Files(folder(settings, recipient, extract_id))
        held = {name: files.read(name) for name in (stage.DATA, stage.MANIFEST, stage.SIGNATURE)}
        stage.verify(recipient, held, keys.public_key(settings.keys), now)
        digest = hashlib.sha256(held[stage.MANIFEST] or b"").hexdigest()
        if digest != entry["manifest_sha256"]:
            raise NotApproved(f"the manifest of {extract_id} is not the one the ledger knows")
        approver = stage.approved_by(recipient, extract_id, digest, entry["requester"],
                                     extracts.of(lake, extracts.APPROVAL, extract_id))
        destination = f"{recipient.delivery}/{extract_id}"
        shell.report.facts.update(extract_id=extract_id, destination=destination, approver=approver)
        if extracts.of(lake, extracts.DELIVERY, extract_id):
            return shell.report
        with turn(settings.home / "turns", "deliveries"):  # So that each is looked at beside all that went before.
            _let_go(shell, recipient, entry, held, destination, now)
        return shell.report


def _let_go(shell: Shell, recipient: Recipient, entry: dict[str, Any], held: dict[str, bytes | None], destination: str,
            now: datetime) -> None:
    """Look once more at what may have changed since an extract was prepared, write into the ledger that it leaves, upload it, and
    write that it left. One that was killed in between counts as sent, and the next run makes it good."""
    lake, name = shell.lake, entry["extract_id"]
    _refuse_superseded(lake, entry)
    stage.refuse_edited(shell.catalog.products[recipient.product], _release_of(lake, entry, recipient.product))
    manifest = json.loads(held[stage.MANIFEST] or b"")
    entitled.refuse_retired(shell, recipient, manifest)
    entitled.refuse_withdrawn(shell, recipient, held[stage.DATA] or b"", now)
    with workspace(shell.settings.lake_root, f"deliver.{recipient.id}", lake.spark) as work:
        where = f"{folder(shell.settings, recipient, name)}/{stage.DATA}"
        linkage.refuse_beside(shell, recipient, name, manifest, lake.spark.read.parquet(where), now, work)
    said = {"extract_id": name, "manifest_sha256": entry["manifest_sha256"], "destination": destination}
    if not extracts.of(lake, extracts.DISPATCH, name):
        extracts.write(lake, extracts.DISPATCH, {**said, "begun_at": datetime.now(UTC)})
        shell.report.change(extracts.DISPATCH)
    upload(recipient, destination, {file: content for file, content in held.items() if content is not None})
    extracts.write(lake, extracts.DELIVERY, {**said, "delivered_at": datetime.now(UTC)})
    shell.report.change(extracts.DELIVERY)


def _name(recipient: str, dag_run: tuple[str, str]) -> str:
    """The extract's id, which only the run that asked for it has."""
    return f"{recipient}-{hashlib.sha256('/'.join(dag_run).encode()).hexdigest()[:12]}"


def _release_of(lake: Lake, entry: dict[str, Any], product: str) -> dict[str, Any]:
    """The pin of the release that an extract was made of."""
    return next(pin for pin in releases.of(lake, entry["release_group"])
                if (pin["number"], pin["product"]) == (entry["release_number"], product))


def _refuse_superseded(lake: Lake, entry: dict[str, Any]) -> None:
    newer = [e["extract_id"] for e in extracts.sent(lake, entry["recipient"]) if e["prepared_at"] > entry["prepared_at"]]
    if newer:
        raise NotApproved(f"the recipient has {newer[-1]}, which is newer than {entry['extract_id']}")


def _pinned(shell: Shell, recipient: Recipient) -> dict[str, Any]:
    group = shell.catalog.products[recipient.product].release_group
    pins = releases.latest(shell.lake, group)
    if recipient.product not in pins:
        raise LakeError(f"{recipient.product} is not released yet; run `concord release {group}` first")
    return pins[recipient.product]


def _has_it(shell: Shell, recipient: Recipient, pin: dict[str, Any], snapshot: dict[str, int], epoch: int) -> bool:
    """Whether the last extract the recipient received was made from just this, under the same key."""
    for entry in [e for e in extracts.sent(shell.lake, recipient.id)[-1:] if e["delivered_at"]]:
        held = Files(folder(shell.settings, recipient, entry["extract_id"])).read(stage.MANIFEST)
        body = json.loads(held) if held else {}
        return bool(body and (body["release"]["number"], body["pseudonym_epoch"]) == (pin["number"], epoch)
                    and body["contract"]["sha256"] == recipient.sha256
                    and {k: v for k, v in body["consent_snapshot"].items() if k != "as_of"} == snapshot)
    return False


def _made(shell: Shell, recipient: Recipient, extract_id: str, pin: dict[str, Any], snapshot: dict[str, int], epoch: int,
          files: Files, now: datetime) -> bytes:
    with workspace(shell.settings.lake_root, f"extract.{recipient.id}", shell.lake.spark) as work:
        rows, said = extract_rows.make(shell, recipient, extract_id, pin, snapshot, epoch, now, work)
    # By all that they tell: an order that came from more would tell rows of a group apart.
    rows = rows.sort_by([(name, "ascending") for name in dict.fromkeys((*recipient.table.key, *rows.column_names))])
    sink = io.BytesIO()
    pq.write_table(rows, sink)
    content = stage.manifest(
        recipient, extract_id, {k: pin[k] for k in ("release_group", "number", "table_version")},
        {**snapshot, "as_of": now.isoformat()}, {stage.DATA: (sink.getvalue(), rows.num_rows)}, said, now)
    files.write(stage.DATA, sink.getvalue())
    files.write(stage.MANIFEST, content)
    files.write(stage.SIGNATURE, stage.sign(content, keys.signing_key(shell.settings.keys)))
    return content
