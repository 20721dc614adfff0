"""People who are forgotten and extracts: recipients are told to delete them, and our own copies lose them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.model import Recipient
from contracts.vocabulary import GoneReason
from jobs import keys
from jobs.delivery import upload
from jobs.erasure.traces import Traces
from jobs.erasure.words import Words
from jobs.errors import ConcordError
from jobs.files import EXTRACTS, Files
from jobs.ledger import erasures, extracts, withdrawals
from jobs.run.delivered import has_expired
from jobs.run.shell import Shell
from jobs.stages import recall as stage
from jobs.stages.extract import DATA, MANIFEST, sign


def collect(shell: Shell, found: Traces) -> None:
    """Note which recipients are to be told of whom: of those in an extract that was sent and has not expired. What an earlier run
    noted stays, since our copies may have lost them."""
    now = datetime.now(UTC)
    for entry in extracts.all_sent(shell.lake):
        files = _files(shell, entry)
        data = files.read(DATA)
        if data is None or has_expired(files.read(MANIFEST), entry["manifest_sha256"], now):
            continue
        rows = pq.read_table(io.BytesIO(data))
        names = {name for _, column in _texts(rows) for name in column.filter(_among(column, found)).to_pylist()}
        if names and entry["extract_id"] not in found.extracts:
            found.extracts[entry["extract_id"]] = sorted(names)


def tell(shell: Shell, found: Traces) -> list[str]:
    """Tell each recipient who is noted; what could not be told, with why. A notice that a killed run made is sent as it is."""
    failed = []
    for entry in extracts.all_sent(shell.lake):
        name = entry["extract_id"]
        if name not in found.extracts:
            continue
        recipient = shell.catalog.recipients.get(entry["recipient"])
        if recipient is None:
            failed.append(f"extract {name}: {entry['recipient']} has no contract any more; put it back, with status retired, so "
                          "that they can be told whom to delete")
            continue
        try:
            found.extracts[name] = [one for one in found.extracts[name] if one not in recalled(shell, entry)]
            while found.extracts[name]:
                _send(shell, recipient, entry, found)
            found.extracts.pop(name)
        except (ConcordError, OSError) as error:
            failed.append(f"extract {name}: {recipient.id} could not be told whom to delete ({error})")
    return failed


def take_out(shell: Shell, erasure: int, found: Traces) -> None:
    """Take people out of our copies of extracts, sent or not, and of the notices about them. One that was not sent cannot be sent
    any more: prepare another."""
    words = Words(found.words)
    for entry in shell.lake.arrow(extracts.EXTRACT).to_pylist():
        files = _files(shell, entry)
        for name in sorted(files.names()):
            before = files.read(name) or b""
            made = _without(before, found) if name == DATA else words.replaced(before, found.tokens)
            if made != before:  # Noted first: of a killed run the next one finds them in the file, and does both again.
                erasures.keep_copy(shell.lake, entry["extract_id"], name, hashlib.sha256(made).hexdigest(), erasure)
                files.write(name, made)
                shell.report.change(erasures.COPIES)


def _send(shell: Shell, recipient: Recipient, entry: dict[str, Any], found: Traces) -> None:
    """Send the next notice of an extract, and write into the ledger that it was."""
    extract_id, files = entry["extract_id"], _files(shell, entry)
    number = max((row["number"] for row in withdrawals.recalls(shell.lake, extract_id)), default=0) + 1
    name, signature = stage.names(number)
    content = files.read(name) or b""
    if not stage.is_signed(content, files.read(signature), keys.public_key(shell.settings.keys)):
        names = found.extracts[extract_id]
        content = stage.notice(json.loads(files.read(MANIFEST) or b"{}"), entry["manifest_sha256"], number, names,
                               [GoneReason.FORGOTTEN] * len(names), datetime.now(UTC))
        files.write(name, content)
        files.write(signature, sign(content, keys.signing_key(shell.settings.keys)))
    upload(recipient, entry["destination"], {name: content, signature: files.read(signature) or b""}, last=name)
    told = json.loads(content)["delete"]
    withdrawals.write(shell.lake, withdrawals.RECALL, [{
        "extract_id": extract_id, "number": number, "notice_sha256": hashlib.sha256(content).hexdigest(), "people": len(told),
        "destination": f"{entry['destination']}/{name}", "issued_at": datetime.now(UTC)}])
    shell.report.change(withdrawals.RECALL)
    found.extracts[extract_id] = [one for one in found.extracts[extract_id] if one not in told]


def recalled(shell: Shell, entry: dict[str, Any]) -> set[str]:
    """Whom the notices that were sent of an extract name."""
    found, files = set[str](), _files(shell, entry)
    for row in withdrawals.recalls(shell.lake, entry["extract_id"]):
        content = files.read(stage.names(row["number"])[0]) or b""
        if hashlib.sha256(content).hexdigest() == row["notice_sha256"]:
            found.update(json.loads(content)["delete"])
    return found


def _without(data: bytes, found: Traces) -> bytes:
    """Rows (Parquet) of others; the same bytes where there are none of theirs."""
    rows = pq.read_table(io.BytesIO(data))
    stay = rows
    for name, _ in _texts(rows):
        stay = stay.filter(pc.invert(_among(stay[name], found)))
    if len(stay) == len(rows):
        return data
    out = io.BytesIO()
    pq.write_table(stay, out)
    return out.getvalue()


def _texts(rows: pa.Table) -> Iterator[tuple[str, pa.ChunkedArray]]:
    return ((field.name, rows[field.name]) for field in rows.schema if pa.types.is_string(field.type))


def _among(column: pa.ChunkedArray, found: Traces) -> pa.ChunkedArray:
    """Which values are pseudonyms of theirs."""
    return pc.is_in(column, value_set=pa.array(sorted(found.pseudonyms | found.shared), pa.string()))


def _files(shell: Shell, entry: dict[str, Any]) -> Files:
    return Files(f"{shell.settings.lake_root}/{EXTRACTS}/{entry['recipient']}/{entry['extract_id']}")
