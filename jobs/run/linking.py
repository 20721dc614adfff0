"""Linking: what a run of resolve writes into the vault, each table once and in an order that a kill does not harm."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.matching import OF_IDENTITIES
from jobs.lake import Lake
from jobs.matching import persons
from jobs.matching.growing import EDGES, Grown
from jobs.run.identities import INPUTS, KEPT_PROFILES, MATCH, named, names, renamed, split
from jobs.run.shell import Shell
from jobs.schema import arrow_schema
from jobs.stages.profile import COLUMNS

LINK, HELD, PERSON, CHANGE = "vault.link", "vault.held", "vault.person", "vault.change"
UNFINISHED = "unfinished"  # The basis of a kept profile while a run is under way.
WHO, SAYS = ["source", "source_person_id"], ["person_key", "evidence", "score", "model_id"]
ORIGINS = [f"{INPUTS[0]}.{COLUMNS.get(role, str(role))}" for role in OF_IDENTITIES] + [f"{INPUTS[1]}.value"]


@dataclass(frozen=True)
class Linking:
    """A run: its shell, and what it stamps rows with: the model (None without one), what pairs are judged under, and when."""

    shell: Shell
    model_id: str | None
    basis: str
    now: datetime

    @property
    def lake(self) -> Lake:
        """The lake that is written."""
        return self.shell.lake

    def begin(self, kept: pa.Table, grown: Grown) -> None:
        """Mark the kept profiles: links of a killed run may rest on what is gone before the next one, which must judge all."""
        gone = pc.is_in(kept["name"], value_set=pa.array(grown.gone, pa.string()))
        if kept.num_rows:
            moved = pa.concat_tables([grown.profiles, kept.filter(gone)])
            self._write(KEPT_PROFILES, named(moved.slice(0, 1)), basis=UNFINISHED)

    def links(self, raw: pa.Table, grown: Grown, ties: pa.Table) -> dict[str, int]:
        """Write who is whom, after what changed hands; how many links are new, and identities that were merged and split.

        raw: the profiles of all identities. ties: name, evidence and score of those whose person was looked at again.
        """
        known = self.lake.arrow(LINK)
        held = known.append_column("name", names(known))
        earlier = self._changes(held)
        keyed = persons.keyed(grown.groups, raw, held, earlier, self.lake.arrow(PERSON), lambda: secrets.token_hex(16))
        changed = keyed.filter(pc.fill_null(pc.not_equal(keyed["from_key"], keyed["person_key"]), False))
        is_merge = pc.is_in(changed["person_key"], value_set=known["person_key"].combine_chunks())
        kinds = pc.if_else(is_merge, "merge", "split")
        self._write(CHANGE, _who(changed["name"]).append_column("kind", kinds).append_column("from_key", changed["from_key"])
                    .append_column("to_key", changed["person_key"]), changed_at=self.now)
        fresh = self._fresh(held, keyed, ties)
        self._merge(LINK, fresh, linked_at=self.now)
        self.shell.trail.writes(LINK, {"person_key": ORIGINS})
        merged = pc.sum(is_merge).as_py() or 0
        return {"new_links": fresh.num_rows, "merged": merged, "split": changed.num_rows - merged}

    def persons(self) -> int:
        """Add the persons that links name and that are not there yet: how many those were."""
        linked = pc.unique(self.lake.arrow(LINK, columns=["person_key"])["person_key"])
        there = self.lake.arrow(PERSON, columns=["person_key"])["person_key"]
        new = linked.filter(pc.invert(pc.is_in(linked, value_set=there.combine_chunks())))
        self._write(PERSON, pa.table({"person_key": new}), minted_at=self.now)
        return len(new)

    def matches(self, kept: pa.Table, grown: Grown) -> pa.Table:
        """The pairs that are links or held, after this run. kept: those of earlier runs with this model (``EDGES``)."""
        stale = pa.array(grown.stale, pa.string())
        touched = pc.or_(pc.is_in(kept["left_name"], value_set=stale), pc.is_in(kept["right_name"], value_set=stale))
        return pa.concat_tables([kept.filter(pc.invert(touched)), grown.edges])

    def keep_matches(self, kept: pa.Table, now: pa.Table) -> None:
        """Write the pairs that are new or other than those kept, and delete those that are no more."""
        pair = ["left_name", "right_name"]
        over = self.lake.arrow(MATCH, columns=["left_identity", "right_identity"])
        gone = renamed(over).join(now.select(pair), pair, join_type="left anti")
        fresh = _unlike(now, kept, EDGES.names)
        self._write(MATCH, named(fresh), named(gone), model_id=self.model_id, found_at=self.now)

    def hold(self, edges: pa.Table, decisions: pa.Table) -> int:
        """Keep the matches of two persons that wait for a review, and forget those that do not any more: how many wait."""
        links = self.lake.arrow(LINK)
        waiting = persons.held(links.append_column("name", names(links)), edges, decisions)
        known = self.lake.arrow(HELD)
        says = ["person_key", "other_key", "left_identity", "right_identity", "weight", "reason"]
        fresh = _unlike(waiting, known, says)
        gone = known.join(waiting.select(says[:2]), says[:2], join_type="left anti")
        since = fresh.join(known.select([*says[:2], "held_at"]), says[:2])
        held_at = pc.fill_null(since["held_at"], pa.scalar(self.now, since["held_at"].type))
        self._merge(HELD, since.set_column(since.column_names.index("held_at"), "held_at", held_at), gone=gone)
        return waiting.num_rows

    def profiles(self, kept: pa.Table, grown: Grown) -> None:
        """Keep what was compared, last of all: whoever is in here needs no second look."""
        if kept.num_rows:
            gone = pa.table({"identity": pa.array(grown.gone, pa.string())})
            self._write(KEPT_PROFILES, named(grown.profiles), gone, basis=self.basis)
        elif grown.profiles.num_rows:
            self.lake.replace_arrow(KEPT_PROFILES, self._stamped(KEPT_PROFILES, named(grown.profiles), {"basis": self.basis}))
            self._changed(KEPT_PROFILES)

    def _changes(self, held: pa.Table) -> pa.Table:
        """What changed hands earlier (``persons.CHANGES``); what a killed run only announced is taken back."""
        rows = self.lake.arrow(CHANGE)
        rows = rows.append_column("name", names(rows))
        last = rows.group_by("name").aggregate([("changed_at", "max")]).rename_columns(["name", "changed_at"])
        ends = rows.join(last, ["name", "changed_at"], join_type="left semi")
        undone = ends.join(held.select(["name", "person_key"]), ["name", "to_key"], ["name", "person_key"], join_type="left anti")
        if undone.num_rows:
            self.lake.merge_arrow(CHANGE, rows.schema.empty_table().drop_columns(["name"]), gone=undone.select([*WHO, "run_id"]))
            self._changed(CHANGE)
            rows = rows.join(undone.select(["name", "run_id"]), ["name", "run_id"], join_type="left anti")
        return rows.select(persons.CHANGES.names)

    def _fresh(self, held: pa.Table, keyed: pa.Table, ties: pa.Table) -> pa.Table:
        """The links that say something else than before."""
        found = keyed.drop_columns(["from_key"]).join(ties, "name", join_type="left outer")
        came = found.join(held.select(["name", "evidence", "score", "model_id"]), "name", right_suffix="_before")
        is_gone = pc.is_null(came["evidence"])  # Who goes along with a key is tied as before.
        score = pc.if_else(is_gone, came["score_before"], came["score"])
        weighed = pc.if_else(pc.is_valid(score), pa.scalar(self.model_id, pa.string()), pa.scalar(None, pa.string()))
        model = pc.if_else(is_gone, came["model_id"], weighed)
        rows = _who(came["name"]).append_column("person_key", came["person_key"])
        rows = rows.append_column("evidence", pc.coalesce(came["evidence"], came["evidence_before"]))
        return _unlike(rows.append_column("score", score).append_column("model_id", model), held, [*WHO, *SAYS])

    def _stamped(self, table: str, rows: pa.Table, stamps: dict[str, Any]) -> pa.Table:
        schema = arrow_schema(self.lake.contract(table))
        for name, value in {"run_id": self.shell.trail.run_id, **stamps}.items():
            if name in schema.names:
                rows = rows.append_column(name, pa.array([value] * rows.num_rows, schema.field(name).type))
        return rows.select(schema.names)

    def _write(self, table: str, rows: pa.Table, gone: pa.Table | None = None, **stamps: Any) -> None:
        """Merge rows that nobody reads with the engine."""
        if rows.num_rows or (gone is not None and gone.num_rows):
            self.lake.merge_arrow(table, self._stamped(table, rows, stamps), gone=gone)
            self._changed(table)

    def _merge(self, table: str, rows: pa.Table, gone: pa.Table | None = None, **stamps: Any) -> None:
        """Merge rows that the engine reads."""
        marked = [self._stamped(table, rows, stamps).append_column("is_gone", pa.array([False] * rows.num_rows, pa.bool_()))]
        if gone is not None:
            marked.append(gone.append_column("is_gone", pa.array([True] * gone.num_rows, pa.bool_())))
        every = pa.concat_tables(marked, promote_options="permissive")
        if every.num_rows:
            self.lake.merge(table, self.lake.spark.createDataFrame(every), gone="is_gone")
            self._changed(table)

    def _changed(self, table: str) -> None:
        self.shell.report.change(table)
        self.shell.trail.writes(table)


def _who(identities: pa.ChunkedArray) -> pa.Table:
    return pa.table(dict(zip(WHO, split(identities.combine_chunks()), strict=True)))


def _unlike(rows: pa.Table, known: pa.Table, columns: list[str]) -> pa.Table:
    """The rows that are not among the known ones, compared in some columns; null equals null."""
    def filled(table: pa.Table) -> pa.Table:
        made = {c: pc.fill_null(table[c].cast(pa.string()), "\0") for c in columns}
        return pa.table({**made, "row": pa.array(range(table.num_rows), pa.int64())})

    fresh = filled(rows).join(filled(known), columns, join_type="left anti")
    return rows.take(fresh["row"].sort())
