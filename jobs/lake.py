"""The one door to the Delta lake.

Every table is created from its contract before its first row. Rows come as Spark frames (core, products) or as Arrow
(raw, ledger, vault: small, or streamed from a connector). Nothing undeclared goes in; no key is null or twice in what is written.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import TableNotFoundError

from jobs import parts, stamps
from jobs.errors import IntegrityError, LakeError, LostRace, no_right
from jobs.files import Files
from jobs.races import TRIES, retried
from jobs.schema import arrow_schema, refuse_other_columns
from jobs.storage import opened, scanned, storage_options, streamed
from jobs.versions import compacted, reach_back, swept
from jobs.written import GONE, Rows, cast, checked, column_names, merge_statement, refuse_columns, refuse_keys, sound, with_gone

if TYPE_CHECKING:
    import pyarrow.compute as pc
    from pyspark.sql import DataFrame, SparkSession

    from contracts.model import Table

WRITER = WriterProperties(compression="SNAPPY", max_row_group_size=64 * 1024)  # An engine reads groups side by side, a core each.


class Lake:
    """A lake below ``root`` (a folder or s3://...), holding the tables that ``tables`` declares."""

    def __init__(self, root: str, tables: dict[str, Table], spark: SparkSession | None = None) -> None:
        self.root = root
        self._tables = tables
        self._spark = spark
        self._options = storage_options(root)

    def contract(self, name: str) -> Table:
        """The declaration of a table. Raises LakeError when there is none."""
        if name not in self._tables:
            raise LakeError(f"table {name!r} is declared by no contract; add it to contracts/ or correct its name")
        return self._tables[name]

    def path(self, name: str) -> str:
        """Address of a table."""
        zone, thing = self.contract(name).name.split(".")
        return f"{self.root}/{zone}/{thing}"

    def exists(self, name: str) -> bool:
        """Whether the table has been created."""
        return self._delta(name) is not None

    def ensure(self, name: str) -> DeltaTable:
        """The table, created from its contract when it is not there yet.

        Raises LakeError when it lacks columns of it, WrittenByHand where the newest commit is none of ours."""
        found = self._made(name)
        stamps.refuse_foreign(name, found)
        refuse_other_columns(self.contract(name), {f.name for f in found.schema().fields})
        return found

    def _opened(self, name: str) -> DeltaTable:
        """The table, whoever wrote to it last: for versions that are named."""
        found = self._made(name)
        refuse_other_columns(self.contract(name), {f.name for f in found.schema().fields})
        return found

    def _made(self, name: str) -> DeltaTable:
        found = self._delta(name)
        if found is None:
            schema = Schema.from_arrow(arrow_schema(self.contract(name)))
            DeltaTable.create(self.path(name), schema=schema, mode="ignore", storage_options=self._options,
                              description=self.contract(name).description, configuration=parts.properties(self.contract(name)),
                              partition_by=parts.columns(name), commit_properties=_properties())
            found = DeltaTable(self.path(name), storage_options=self._options)
            if self._options:  # S3 refuses a missing checkpoint, instead of missing it, to whom it lists some prefixes only.
                found.create_checkpoint()
        return found

    def version(self, name: str) -> int:
        """Newest version of a table's rows, -1 when it does not exist: care of its files makes none. Raises WrittenByHand."""
        found = self._delta(name)
        if found is None:
            return -1
        stamps.refuse_foreign(name, found)
        return stamps.settled(found)

    def history(self, name: str) -> list[dict[str, Any]]:
        """The commits of a table, newest first, whoever made them; none when it does not exist."""
        found = self._delta(name)
        return [] if found is None else found.history()

    def foreign(self, name: str) -> dict[str, Any] | None:
        """The commit that somebody made by hand and that stands in a table; None where there is none."""
        found = self._delta(name)
        return None if found is None else stamps.foreign(found)

    def note(self, name: str, version: int | None = None) -> dict[str, Any]:
        """What was written beside the commit of that version (the newest by default); empty when nothing was."""
        found = self.ensure(name) if version is None else self._opened(name)
        return stamps.beside(found, stamps.settled(found) if version is None else version)

    def done(self, name: str, once: str) -> int | None:
        """Number last committed under the transaction name ``once``, None when there was none."""
        return self.ensure(name).transaction_version(once)

    def read(self, name: str, version: int | None = None) -> DataFrame:
        """The table as a frame, at a version when one is named."""
        reader = self.spark.read.format("delta")
        if version is None:
            self.ensure(name)
        else:
            self._opened(name)
            with suppress(OSError):  # Who may only read leaves the hint where somebody else's care of files left one.
                reach_back(self.path(name))
            reader = reader.option("versionAsOf", version)
        return reader.load(self.path(name))

    def arrow(self, name: str, version: int | None = None, columns: list[str] | None = None,
              filters: pc.Expression | None = None) -> pa.Table:
        """The table as Arrow, at a version when one is named: for ledger, vault and released products."""
        table = self.ensure(name) if version is None else self._opened(name)
        return scanned(opened(table, self.path(name), version), columns, filters)

    def batches(self, name: str, version: int) -> Iterator[pa.Table]:
        """The rows of a version of a table, some thousand at a time."""
        return streamed(opened(self._opened(name), self.path(name), version))

    def append_arrow(self, name: str, rows: Rows, note: dict[str, Any] | None = None,
                     once: tuple[str, int] | None = None) -> None:
        """Append Arrow rows; ``once`` (name, number) is committed with them and asked by ``done``.

        A number that is committed already is refused, however close the race. The keys of a stream are checked chunk by
        chunk, and a stream that lost a race is not tried again, because it has been read.
        """
        contract = self.contract(name)
        refuse_columns(name, rows.schema.names, column_names(contract))
        sound = checked(name, rows, contract)

        def write() -> None:
            table = self._writable(name)
            if once and (table.transaction_version(once[0]) or 0) >= once[1]:
                raise IntegrityError(f"{name}: number {once[1]} of {once[0]} was written by another run; nothing was written now")
            write_deltalake(table, sound, mode="append", commit_properties=_properties(note, once), writer_properties=WRITER)

        self._commit(name, write, tries=TRIES if isinstance(rows, pa.Table) else 1)

    def replace_arrow(self, name: str, rows: pa.Table) -> None:
        """Write a new version that holds exactly these Arrow rows; the predicate lets delta-rs notice who wrote meanwhile."""
        refuse_columns(name, rows.schema.names, column_names(self.contract(name)))
        sound = checked(name, rows, self.contract(name))
        self._commit(name, lambda: write_deltalake(self._writable(name), sound, mode="overwrite", predicate="true",
                                                   commit_properties=_properties(), writer_properties=WRITER))

    def merge_arrow(self, name: str, rows: pa.Table, whole: dict[str, str] | None = None, gone: pa.Table | None = None) -> None:
        """Insert or update Arrow rows by the contract's key: for the ledger, which is read as Arrow.

        ``whole`` names a column's value of which these are all rows: others of it are deleted in the same commit. ``gone``: keys
        of rows that are deleted in the same commit. What delta-rs writes in a merge has string views in its files, which Sail
        does not read; tables that the engine reads are merged by ``merge``.
        """
        contract = self.contract(name)
        refuse_columns(name, rows.schema.names, column_names(contract))
        rows = cast(name, rows, arrow_schema(contract))
        if gone is not None:
            rows = with_gone(rows, gone.select(list(contract.key)))
        refuse_keys(name, rows, contract.key)
        if not rows.num_rows:
            return
        on = " AND ".join(f"t.{k} = s.{k}" for k in contract.key)

        def write() -> None:
            merge = self._writable(name).merge(rows, predicate=on, source_alias="s", target_alias="t",
                                               commit_properties=_properties())
            if gone is not None:
                merge = merge.when_matched_delete(f"s.{GONE}")
            sets = {column: f"s.{column}" for column in column_names(contract)}
            stays = None if gone is None else f"NOT s.{GONE}"
            merge = merge.when_matched_update(sets).when_not_matched_insert(sets, predicate=stays)
            for column, value in (whole or {}).items():
                merge = merge.when_not_matched_by_source_delete(f"t.{column} = '{value}'")
            merge.execute()
        self._commit(name, write)

    def merge(self, name: str, rows: DataFrame, gone: str | None = None) -> None:
        """Insert or update a frame's rows by the contract's key; rows where the column ``gone`` is true are deleted."""
        contract = self.contract(name)
        typed = sound(name, rows, contract, gone)
        view = f"merge_{name.replace('.', '_')}_{random.getrandbits(48):x}"
        typed.createOrReplaceTempView(view)
        statement = merge_statement(self.path(name), view, contract, gone)

        def write() -> None:
            self._writable(name)
            self.spark.conf.set(stamps.USER_METADATA, stamps.stamp())
            self.spark.sql(statement).collect()
        try:
            self._commit(name, write)
        finally:
            self.spark.catalog.dropTempView(view)

    def replace(self, name: str, rows: DataFrame, note: dict[str, Any] | None = None) -> int:
        """Write a new version that holds exactly these rows; returns its number. Readers see it only once pinned."""
        self._commit(name, lambda: self._writable(name))
        typed = sound(name, rows, self.contract(name))
        writer = typed.write.format("delta").mode("overwrite").option("userMetadata", stamps.stamp(note))
        before = self.version(name)
        self._commit(name, lambda: writer.save(self.path(name)))
        if self.version(name) == before:  # Sail makes no commit when there is nothing to write.
            self._commit(name, lambda: self._nothing(self._writable(name), name, "overwrite", note))
        return self.version(name)

    def purge(self, name: str, rows: DataFrame) -> None:
        """Take these rows out, by key, and remove the files that held them: older versions cannot be read any more.

        A table that releases pin must not be purged. Files that another run is writing are left alone. A kill: again."""
        from pyspark.sql import functions as F

        self.merge(name, rows.withColumn("is_gone", F.lit(True)), gone="is_gone")
        self._commit(name, lambda: self._writable(name).vacuum(
            retention_hours=0, dry_run=False, enforce_retention_duration=False, commit_properties=_properties()))

    def drop_part(self, name: str, part: dict[str, Any]) -> None:
        """Take out a part of a table (jobs/parts.py) and all files there ever were of it. Nobody may be writing it."""
        self._commit(name, lambda: self._writable(name).delete(parts.where(part), commit_properties=_properties()))
        Files(f"{self.path(name)}/{parts.folder(part)}").clear()

    def sweep(self, name: str, keep: Collection[int], hours: int, dry_run: bool = False) -> int:
        """Remove the files that no version which stood within ``hours`` needs, and none of ``keep``; how many there were."""
        return swept(self.ensure(name), self.path(name), keep, hours, dry_run)

    def compact(self, name: str) -> int:
        """Join small files where there are many; how many are joined now. No row changes, and ``version`` stays what it was."""
        return int(self._commit(name, lambda: compacted(self._writable(name), WRITER, _properties())))

    def restore(self, name: str, version: int) -> None:
        """Make the newest version equal to an earlier one, whoever wrote the newest; nothing of the history is lost."""
        self._commit(name, lambda: self._made(name).restore(version, commit_properties=_properties()))
        self._commit(name, lambda: self._writable(name))  # An older version may be from before tables had properties.

    def accept(self, name: str, version: int) -> None:
        """Take over a version that somebody wrote by hand, by a commit of ours that adds nothing to it.

        Raises LostRace when it is not the newest any more.
        """
        found = self._opened(name)
        if found.version() != version:
            raise LostRace(f"{name} was written to again since version {version} was looked at; look at it once more")
        self._commit(name, lambda: self._nothing(found, name, "append"), tries=1)

    def mark(self, name: str) -> None:
        """Make a version of a table whose files were changed, so that whoever knows the one before looks again."""
        self._commit(name, lambda: self._nothing(self._writable(name), name, "append"))

    def _nothing(self, table: DeltaTable, name: str, mode: Literal["append", "overwrite"], note: Any = None) -> None:
        write_deltalake(table, arrow_schema(self.contract(name)).empty_table(), mode=mode, commit_properties=_properties(note))

    @property
    def spark(self) -> SparkSession:
        """The engine's session. Raises LakeError when the lake was opened without one."""
        if self._spark is None:
            raise LakeError("this lake was opened without an engine, for Arrow reads and writes only")
        return self._spark

    def _delta(self, name: str) -> DeltaTable | None:
        try:
            return DeltaTable(self.path(name), storage_options=self._options)
        except (TableNotFoundError, OSError) as error:
            if refused := no_right(error, self.path(name)):
                raise refused from error
            if isinstance(error, OSError):
                raise
            return None

    def _writable(self, name: str) -> DeltaTable:
        """The table to be written: one that was made before tables had properties gets them, in a commit of its own."""
        found = self.ensure(name)
        if (wanted := parts.properties(self.contract(name))).items() - found.metadata().configuration.items():
            found.alter.set_table_properties(wanted, commit_properties=_properties())
        return found

    def _commit(self, name: str, write: Callable[[], Any], tries: int = TRIES) -> Any:
        """Write, again when another writer came in between; what a checkpoint would hide from an engine stays readable."""
        given = retried(write, tries)
        reach_back(self.path(name))
        return given


def _properties(note: dict[str, Any] | None = None, once: tuple[str, int] | None = None) -> CommitProperties:
    return CommitProperties(custom_metadata={stamps.NOTE: json.dumps(note or {})},
                            app_transactions=[Transaction(*once)] if once else None)
