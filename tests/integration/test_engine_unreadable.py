"""An answer of the engine that comes damaged: a question about settings or a plan is asked again, a plan is never begun again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.errors import PySparkException

from jobs.engine import session

SERVICE = "/spark.connect.SparkConnectService/"
STREAMS = ("ExecutePlan", "ReattachExecute")


class Garbling(grpc.GenericRpcHandler):
    """A server that hands every request to the engine, and damages the first answers to the methods it is told."""

    def __init__(self, engine: str) -> None:
        self.upstream = grpc.insecure_channel(engine.removeprefix("sc://"))
        self.damage: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method.removeprefix(SERVICE)

        def one(request: bytes, _: Any) -> bytes:
            self.asked[method] += 1
            return self._answer(method, self.upstream.unary_unary(SERVICE + method)(request))

        def stream(request: bytes, _: Any) -> Iterator[bytes]:
            self.asked[method] += 1
            for answer in self.upstream.unary_stream(SERVICE + method)(request):
                yield self._answer(method, answer)

        return (grpc.unary_stream_rpc_method_handler(stream) if method in STREAMS
                else grpc.unary_unary_rpc_method_handler(one))

    def _answer(self, method: str, answer: bytes) -> bytes:
        if not self.damage[method]:
            return answer
        self.damage[method] -= 1
        return b"\xff"


@pytest.fixture
def garbling(engine: str) -> Iterator[tuple[Garbling, str]]:
    handler = Garbling(engine)
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield handler, f"sc://127.0.0.1:{port}"
    server.stop(None).wait()
    handler.upstream.close()


@pytest.mark.parametrize("method", ["Config", "AnalyzePlan"])
def test_an_unreadable_answer_is_asked_for_again(garbling: tuple[Garbling, str], method: str) -> None:
    handler, address = garbling
    with session(address) as spark:
        handler.damage[method] = 1
        frame = spark.range(3)
        assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
        assert frame.schema.names == ["id"]
        assert [row.id for row in frame.collect()] == [0, 1, 2]
        assert handler.damage[method] == 0


def test_a_write_whose_answer_is_unreadable_is_never_begun_again(garbling: tuple[Garbling, str], tmp_path: Path) -> None:
    handler, address = garbling
    table = str(tmp_path / "table")
    write_deltalake(table, pa.table({"id": pa.array([7], pa.int64())}))
    with session(address) as spark:
        handler.damage["ExecutePlan"] = 1
        with suppress(PySparkException):  # Apache Spark keeps the answer and gives it again, Sail does not.
            spark.range(3).write.format("delta").mode("append").save(table)
    assert handler.damage["ExecutePlan"] == 0 and handler.asked["ExecutePlan"] == 1
    assert DeltaTable(table).version() <= 1


def test_an_engine_of_which_nothing_can_be_read_is_an_error_soon(garbling: tuple[Garbling, str]) -> None:
    handler, address = garbling
    with session(address) as spark:
        handler.damage["Config"], handler.asked["Config"] = 100, 0
        with pytest.warns(UserWarning, match="RETRIES_EXCEEDED"), pytest.raises(PySparkException):
            spark.conf.get("spark.sql.session.timeZone")
        assert handler.asked["Config"] == 4
        handler.damage["Config"] = 0
