"""A Spark Connect session: Sail in this process by default, any Spark Connect server when told so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jobs.errors import ConfigurationError, EngineUnavailable

if TYPE_CHECKING:
    from pysail.spark import SparkConnectServer
    from pyspark.sql import SparkSession
    from pyspark.sql.connect.client.retries import RetryPolicy

PATIENCE_SECONDS = 10
# Sail forgets a session that nobody asks for 15 minutes; a slow source, or a wait for another's turn, may take longer.
IDLE_SECONDS = 86_400
# What gRPC says of an answer that came damaged: rare under load, and the next answer is sound.
UNREADABLE = "Exception deserializing response!"


@contextmanager
def session(engine: str) -> Iterator[SparkSession]:
    """A session on ``engine``: ``sail`` starts Sail in this process, ``sc://host:port`` connects.

    Raises ConfigurationError for any other name, EngineUnavailable when nothing answers there. The session is stopped
    before the server, in this order, because Python hangs at its end while an in-process server still holds a session.
    """
    from pyspark.sql import SparkSession

    if engine == "sail":
        with sail() as address:
            spark = SparkSession.builder.remote(address).create()
            try:
                yield _configured(spark)
            finally:
                spark.stop()
    elif engine.startswith("sc://"):
        _reach(engine)
        spark = SparkSession.builder.remote(engine).create()
        try:
            yield _configured(spark)
        finally:
            spark.stop()
    else:
        raise ConfigurationError(f"CONCORD_ENGINE is {engine!r}; write sail or sc://host:port")


def serve(port: int, ready_file: str | None) -> None:
    """Serve Sail on loopback until interrupted; ``ready_file`` gets the address once it listens."""
    server = _started(port)
    host, bound = server.listening_address
    if ready_file:
        temporary = f"{ready_file}.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(f"sc://{host}:{bound}")
        os.replace(temporary, ready_file)
    import signal

    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    os._exit(0)


def _reach(address: str) -> None:
    """Wait a little for a gRPC server at an address: PySpark itself asks on for many minutes."""
    import grpc
    from pyspark.errors import PySparkException
    from pyspark.sql.connect.client import DefaultChannelBuilder

    try:
        channel = DefaultChannelBuilder(address).toChannel()
    except (PySparkException, ValueError):
        raise ConfigurationError("CONCORD_ENGINE is no address that Spark Connect knows; write sc://host:port") from None
    try:
        # No server has this method; that it says so is an answer, and comes sooner than gRPC's own future of readiness.
        channel.unary_unary("/concord/Reach")(b"", timeout=PATIENCE_SECONDS, wait_for_ready=True)
    except grpc.RpcError as error:
        if error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE):
            raise EngineUnavailable(f"the engine at {address.split('/;')[0]} does not answer; start it with `concord engine`, or "
                                    "unset CONCORD_ENGINE") from None
    finally:
        channel.close()


@contextmanager
def sail() -> Iterator[str]:
    """The address of a Sail server in this process, on a free port of loopback; stop sessions before it ends."""
    server = _started(0)
    host, port = server.listening_address
    try:
        yield f"sc://{host}:{port}"
    finally:
        server.stop()


def _started(port: int) -> SparkConnectServer:
    from pysail.spark import SparkConnectServer

    os.environ.setdefault("RUST_LOG", "warn,sail_common::actor=error")
    os.environ.setdefault("SAIL_SPARK__SESSION_TIMEOUT_SECS", str(IDLE_SECONDS))
    server = SparkConnectServer(ip="127.0.0.1", port=port)
    server.start(background=True)
    return server


def _configured(spark: SparkSession) -> SparkSession:
    spark.client.set_retry_policies([*spark.client.get_retry_policies(), _asked_again()])
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    # Apache Spark's own default, INT96, holds no time zone, and Sail does not read it as an instant.
    spark.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    return spark


def _asked_again() -> RetryPolicy:
    """Ask three times more for an answer that cannot be read: never for a plan, but for the rest of its answer."""
    import grpc
    from pyspark.sql.connect.client.retries import RetryPolicy

    class Unreadable(RetryPolicy):
        def can_retry(self, exception: BaseException) -> bool:
            return (isinstance(exception, grpc.RpcError) and exception.code() is grpc.StatusCode.INTERNAL
                    and exception.details() == UNREADABLE)

    return Unreadable(max_retries=3, initial_backoff=50, backoff_multiplier=4.0)
