"""access: what is held of one person, as a folder to be given to them (GDPR articles 15 and 20).

The ledger has the question before anything is read for it, and the answer before the folder has its name. It names nobody.
"""

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from contracts.model import Product, Table
from jobs.access import attachments, said
from jobs.access.bundle import Bundle
from jobs.access.copy import Copy, Once
from jobs.access.folder import Folder, refuse_unfit, whole
from jobs.errors import ConfigurationError
from jobs.ledger import erasures, releases
from jobs.pages.access import page
from jobs.run import asking, commitments, own_payloads, passed_on, pins, suppression, theirs
from jobs.run.asking import Person, Question, Sought
from jobs.run.linking import LINK
from jobs.run.shell import Report, Shell, open_shell
from jobs.run.theirs import Theirs, Way, way
from jobs.run.traces import FEWEST_SIGNS
from jobs.schema import arrow_schema
from jobs.settings import Settings

TABLE = "ledger.access"
LONGEST_REASON = 500
READ = tuple(found for found in Way if found not in (Way.ENVELOPE, Way.PLACE, Way.PSEUDONYM))


class _Nothing(Exception):
    """Nothing is held: no folder is made."""


def access(settings: Settings, question: Question, out: Path) -> Report:
    """Copy what is held of a person into a folder that is not there yet, or empty.

    Raises NotAuthorised unless an officer asks, ConfigurationError for no person, no reason or no such folder, KeysUnreadable
    where the question cannot be written down. What is about others too is withheld and counted.
    """
    with open_shell(settings, "access", "people", with_engine=False) as shell:
        given = asking.authorised(shell, question, Sought)
        person, reason = _asked(shell, given)
        refuse_unfit(out, _homes(settings))
        row = {**dict.fromkeys(("answer", "rows", "withheld", "manifest_sha256", "answered_at")),
               "access_id": secrets.token_hex(8), "reference": commitments.about(shell, [person])[0], "reason": reason,
               "requested_by": shell.trail.proved_actor, "requested_at": datetime.now(UTC)}
        _write(shell, row)
        shell.report.facts.update(access=row["access_id"], answer="nothing_held", forgotten_in=_forgotten(shell, person))
        try:
            with whole(out) as folder:
                _write(shell, row | _made(shell, theirs.who(shell, person), folder, row))
        except _Nothing:
            _write(shell, row | {"answer": "nothing_held", "rows": 0, "answered_at": datetime.now(UTC)})
        return shell.report


def _made(shell: Shell, whose: Theirs, folder: Folder, row: dict[str, Any]) -> dict[str, Any]:
    """Write the folder's files; what the ledger is to say of them. Raises _Nothing."""
    at = datetime.now(UTC)
    bundle = Bundle(folder, row["access_id"], at)
    copy = Copy(folder, bundle)
    _tables(shell, whose, copy)
    _payloads(shell, whose, copy)
    _products(shell, whose, copy)
    recipients = list(_recipients(shell, whose, copy))
    counts = {"withheld": sum(whose.withheld.values()), "held": whose.held}
    if not copy.rows and not counts["withheld"]:
        shell.report.facts.update(counts)
        raise _Nothing
    bundle.end()
    found = said.about(shell.catalog, {name: copied.rows for name, copied in copy.tables.items()},
                       {name: copied.sources for name, copied in copy.tables.items()}, recipients, _told(shell, whose),
                       row["access_id"], at)
    folder.write("about.json", msgspec.json.format(msgspec.json.encode(found)))
    folder.write("index.html", page(found, copy.tables, folder.files(), shell.catalog).encode())
    manifest = folder.end({"access": row["access_id"], "made_at": at})
    shell.report.facts.update(counts, answer="bundle", rows=copy.rows, tables=len(copy.tables), resources=bundle.entries,
                              media=copy.media, recipients=len(recipients), manifest_sha256=manifest)
    return {"answer": "bundle", "rows": copy.rows, "withheld": counts["withheld"], "manifest_sha256": manifest,
            "answered_at": datetime.now(UTC)}


def _tables(shell: Shell, whose: Theirs, copy: Copy) -> None:
    """Copy rows of tables that tell whose they are by identities, names or keys."""
    for table in shell.catalog.tables.values():
        if way(table) in READ and (version := _version(shell, table)) >= 0:
            for row in theirs.rows(whose, table, version):
                copy.add(table.name, version, row)


def _payloads(shell: Shell, whose: Theirs, copy: Copy) -> None:
    """Copy payloads, the media in them, and what points to them."""
    for source in shell.catalog.sources.values():
        places = defaultdict[str, set[int]](set)
        if (version := _version(shell, shell.catalog.tables[source.raw])) < 0:
            continue
        for row, content in own_payloads.payloads(whose, source, version):
            copy.add(source.raw, version, row)
            places[row["batch_id"]].add(row["position"])
            for name, medium in attachments.attachments(content):
                copy.medium(name, medium)
        for table in shell.catalog.tables.values():
            if way(table) is Way.PLACE and table.name.startswith(f"{source.raw}__") and (version := _version(shell, table)) >= 0:
                for row in _pointing(shell, table, version, places):
                    copy.add(table.name, version, row)


def _pointing(shell: Shell, table: Table, version: int, places: Mapping[str, set[int]]) -> Iterator[dict[str, Any]]:
    """The rows of a version of a table that point to envelopes: positions by batch."""
    batches = pa.array(sorted(places), pa.string())
    for rows in shell.lake.batches(table.name, version):
        near = rows.filter(pc.is_in(rows["batch_id"], value_set=batches)).to_pylist()
        yield from (row for row in near if row["position"] in places[row["batch_id"]])


def _products(shell: Shell, whose: Theirs, copy: Copy) -> None:
    """Copy rows of every release that can be read and of the newest candidate; what several hold alike once, of the newest."""
    for product in shell.catalog.products.values():
        if (column := theirs.pseudonym_of(product.table)) is None or product.pseudonym_domain is None:
            continue
        once = Once()
        for version, links, release in _made_versions(shell, product):
            shell.trail.reads(product.table.name)
            batches = shell.lake.batches(product.table.name, version)
            for row in theirs.under(whose, batches, column, product.pseudonym_domain, links, product.table.name):
                if once.is_new(row):
                    copy.add(product.table.name, version, row, release=release)


def _made_versions(shell: Shell, product: Product) -> Iterator[tuple[int, int | None, str | None]]:
    """Version, that of the links it was made by (None where those cannot be read), and release (None of a candidate) of each
    version that is kept, newest first, each once."""
    kept, name = pins.standing(shell.lake, shell.catalog), product.table.name
    made = [(pin["table_version"], json.loads(pin["inputs"]), f"{pin['release_group']}/{pin['number']}")
            for pin in releases.every(shell.lake) if pin["product"] == product.id][::-1]
    newest = _version(shell, product.table)
    if newest > 0 and newest not in {version for version, _, _ in made}:
        yield newest, shell.lake.note(name, newest).get("inputs", {}).get(LINK), None
    seen = set[int]()
    for version, inputs, release in made:
        if version in kept.versions(name) - seen:
            seen.add(version)
            yield version, links if (links := inputs.get(LINK)) in kept.versions(LINK) else None, release


def _recipients(shell: Shell, whose: Theirs, copy: Copy) -> Iterator[dict[str, Any]]:
    """What is told of each extract that holds them, or may hold them; their rows in it are copied."""
    for told, rows in passed_on.passed_on(whose):
        count = 0
        for row in rows:
            copy.add(passed_on.EXTRACT, None, row, extract=told["extract"])
            count += 1
        if count or "product" not in told:
            yield {**told, "held": count or None, "recalled": passed_on.is_recalled(shell, whose, told["extract"])}


def _told(shell: Shell, whose: Theirs) -> dict[str, Any]:
    """Who they are to us, what stayed out, and which tables are not given at all."""
    names, withheld = (name.split("/", 1) for name in sorted(whose.identities)), sorted(whose.withheld.items())
    return {"identities": [{"source": source, "source_person_id": name} for source, name in names],
            "withheld": [{"of": what, "reason": reason, "count": count} for (what, reason), count in withheld],
            "not_given": {name: why for name, table in shell.catalog.tables.items() if (why := theirs.left_out(table))}}


def _version(shell: Shell, table: Table) -> int:
    """The newest version of a table, -1 where it is not there; the trail has that it is read."""
    version = shell.lake.version(table.name)
    if version >= 0:
        shell.trail.reads(table.name)
    return version


def _asked(shell: Shell, given: Sought) -> tuple[Person, str]:
    """Whom an officer asks about, and why. Raises ConfigurationError, which repeats neither."""
    shape, reason = asking.SHAPES[Sought], given.reason.strip()
    if given.person is None or not given.person.source_person_id:
        raise ConfigurationError(f"name whose data is wanted, on standard input: {shape}")
    if given.person.source not in shell.catalog.sources:
        raise ConfigurationError(f"no source is called so; there are {', '.join(sorted(shell.catalog.sources))}")
    if not reason or len(reason) > LONGEST_REASON:
        raise ConfigurationError(f"say why, in 1 to {LONGEST_REASON} characters: {shape}")
    if len(given.person.source_person_id) >= FEWEST_SIGNS and given.person.source_person_id in reason:
        raise ConfigurationError("the reason is kept and must name nobody; write for example the number of the letter")
    return given.person, reason


def _homes(settings: Settings) -> tuple[Path, ...]:
    return (settings.home, *(() if settings.lake_root.startswith("s3://") else (Path(settings.lake_root),)))


def _forgotten(shell: Shell, person: Person) -> int | None:
    """In which erasure a person was forgotten; None where they were not."""
    (_, reference), = suppression.references(shell.settings, [f"{person.source}/{person.source_person_id}"])
    rows = shell.lake.arrow(erasures.SUPPRESSED, columns=["erasure"], filters=pc.field("reference") == reference)
    return pc.max(rows["erasure"]).as_py()


def _write(shell: Shell, row: dict[str, Any]) -> None:
    shell.lake.merge_arrow(TABLE, pa.Table.from_pylist([row], schema=arrow_schema(shell.lake.contract(TABLE))))
    shell.report.change(TABLE)
    shell.trail.writes(TABLE)
