"""Stored: a trained model as it is kept between runs, with what scoring needs beside it. No engine owns its form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from contracts.matching import Key, Matching, Role
from jobs.matching.model import FREQUENCY, Model
from jobs.matching.records import Records

FREQUENCIES = pa.schema([("role", pa.string()), ("value", pa.string()), ("times", pa.int64())])
SOME = 100_000  # Rows that are written as text at a time, for a digest.


@dataclass(frozen=True)
class Stored:
    """A model, the weight that a link needs, the blocking rules whose pairs fit, and how often values were met in training.

    ``frequencies``: role, value, times; values that one record had are left out.
    """

    model: Model
    least: float
    rules: tuple[tuple[Key, ...], ...]
    frequencies: Any  # pa.Table, which has no types.

    @cached_property
    def id(self) -> str:
        """A name made of all that scoring needs, the frequencies too: 16 hexadecimal digits of a SHA-256."""
        digest = hashlib.sha256(self.text().encode())
        counted = self.frequencies.sort_by([("role", "ascending"), ("value", "ascending")]).combine_chunks()
        for some in counted.to_batches(max_chunksize=SOME):
            digest.update(json.dumps(some.to_pydict()).encode())
        return digest.hexdigest()[:16]

    def text(self) -> str:
        """The parameters as JSON; no value of anybody is in it."""
        rules = [[str(key) for key in rule] for rule in self.rules]
        return json.dumps({**self.model.document(), "least": self.least, "rules": rules}, sort_keys=True)

    @classmethod
    def parse(cls, text: str, values: Any) -> Stored:
        """From what ``text`` gives, and the frequencies. Raises ValueError for anything else."""
        try:
            found: dict[str, Any] = json.loads(text)
            rules = tuple(tuple(Key.parse(key) for key in rule) for rule in found["rules"])
            return cls(Model.parse(found), float(found["least"]), rules, values.cast(FREQUENCIES))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this is no model of matching ({type(error).__name__})") from None


def frequencies(records: Records) -> pa.Table:
    """What training counted."""
    found: Any = records.connection.sql(f"select * from {FREQUENCY} order by role, value").to_arrow_table()
    return found.cast(FREQUENCIES)


def rules_without_model(matching: Matching, roles: Iterable[Role]) -> tuple[tuple[Key, ...], ...]:
    """What pairs are looked at while no model weighs them: those that a rule of one key alone brings together."""
    return tuple(rule for rule in matching.rules(roles) if len(rule) == 1 and rule[0].column in matching.proofs)
