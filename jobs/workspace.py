"""A place below the lake's root for frames that are used more than once, gone when the work is done.

Neither engine keeps a cache that both have (Sail's is a no-op), so what is read several times is written aside once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pyspark.sql.types import ArrayType, StructField, StructType

from jobs.files import WORK, Files

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class Workspace:
    """Frames kept as Parquet below one folder."""

    def __init__(self, folder: str, spark: SparkSession) -> None:
        self._folder = folder
        self._spark = spark

    def keep(self, name: str, frame: DataFrame) -> DataFrame:
        """Write a frame aside and return it as read back."""
        path = f"{self._folder}/{name}"
        frame.write.mode("overwrite").parquet(path)
        return self._spark.read.schema(_nullable(frame.schema)).parquet(path)


def _nullable(kind: Any) -> Any:
    """The same type with every field nullable: the engines do not agree on which are."""
    if isinstance(kind, StructType):
        return StructType([StructField(f.name, _nullable(f.dataType), True) for f in kind.fields])
    if isinstance(kind, ArrayType):
        return ArrayType(_nullable(kind.elementType), True)
    return kind


@contextmanager
def workspace(root: str, name: str, spark: SparkSession) -> Iterator[Workspace]:
    """A workspace of that name, emptied before and after: what a killed run left behind is not read."""
    folder = f"{root}/{WORK}/{name}"
    Files(folder).clear()
    try:
        yield Workspace(folder, spark)
    finally:
        Files(folder).clear()
