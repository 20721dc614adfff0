"""Apache Spark with Delta as a Spark Connect server: python -m infra.local.spark_server [--port 15002] [--jars DIR]

It listens on loopback only and keeps all it writes, except Delta's jars, in a folder that goes when it ends.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

import psutil
from rich.console import Console

from infra.local.preflight import HOST, Refusal, check_port, free_port
from infra.local.processes import PATIENCE_SECONDS, Service, ServiceEnded, start

JAVA_NEEDED, MEMORY = 17, "2g"
READY_SECONDS = 300.0  # the first start fetches about 90 MB of jars
INSTALL = f"install Java {JAVA_NEEDED} or newer (on Debian: apt-get install default-jre-headless), or set JAVA_HOME to one"
UNFETCHED = re.compile("unresolved dependenc|failed downloads|download failed", re.IGNORECASE)
FAILED, REFUSED = 1, 2


@dataclass(frozen=True)
class SparkServer:
    """A running server: where to connect, and its process."""

    address: str
    service: Service


@contextmanager
def running(jars: Path, port: int = 0, events: Path | None = None) -> Iterator[SparkServer]:
    """Run a server until the block ends; its address is for CONCORD_ENGINE.

    ``jars`` keeps the jars of Delta between runs; ``events`` gets the event log where it is named. Raises Refusal when Java or
    a jar is missing or the port is taken, ServiceEnded when the server does not start.
    """
    java = _java()
    check_port(port)
    port = port or free_port()
    jars.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="concord-spark-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        service = start("Apache Spark", _command(folder, jars.resolve(), port, events), _environment(java, folder),
                        folder / "server.log", folder)
        try:
            _await_ready(service, port, jars)
            yield SparkServer(f"sc://{HOST}:{port}", service)
        finally:
            _stop(service)


def jars_folder() -> Path:
    """Where the jars are kept: CONCORD_JARS, else ``jars`` below CONCORD_HOME."""
    return Path(os.environ.get("CONCORD_JARS") or Path(os.environ.get("CONCORD_HOME") or ".concord") / "jars")


def package() -> str:
    """The Maven coordinates of Delta's jars that fit the installed pyspark and delta-spark."""
    minor = ".".join(version("pyspark").split(".")[:2])
    return f"io.delta:delta-spark_{minor}_2.13:{version('delta-spark')}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; 1 when the server ended by itself, 2 when it could not start."""
    parser = argparse.ArgumentParser(prog="infra.local.spark_server", description="Apache Spark with Delta on loopback.")
    parser.add_argument("--port", type=int, default=0, help="port on loopback; 0 takes a free one")
    parser.add_argument("--jars", type=Path, help="folder of the jars; CONCORD_JARS or CONCORD_HOME/jars when not given")
    given, console = parser.parse_args(arguments), Console(soft_wrap=True, markup=False, highlight=False)
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, _interrupt)
    try:
        with running(given.jars or jars_folder(), given.port) as server:
            console.print(f"CONCORD_ENGINE={server.address}")
            server.service.process.wait()
            server.service.check()
    except (Refusal, ServiceEnded) as failure:
        console.print(f"concord: {failure}")
        return REFUSED if isinstance(failure, Refusal) else FAILED
    except KeyboardInterrupt:
        return 0
    raise AssertionError("unreachable")


def _java() -> str:
    """The java program. Raises Refusal when there is none, or one too old for Apache Spark."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(str(Path(home) / "bin" / "java") if home else "java")
    if not java:
        raise Refusal(f"Java is not installed{f' in JAVA_HOME ({home})' if home else ''}; {INSTALL}")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    if not found or int(found[1]) < JAVA_NEEDED:
        raise Refusal(f"{java} is Java {found[1] if found else 'of an unknown version'}; {INSTALL}")
    return java


def _command(folder: Path, jars: Path, port: int, events: Path | None) -> list[str]:
    spark_home = _spark_home()
    # A local Maven repository that holds a pom without its jar stops the resolution: look for it where there is none.
    java = f"-Duser.home={folder} -Djava.io.tmpdir={folder} -Djava.net.preferIPv4Stack=true -XX:-UsePerfData"
    conf = {"spark.jars.ivy": jars, "spark.driver.host": HOST, "spark.driver.bindAddress": HOST,
            "spark.connect.grpc.binding.address": HOST, "spark.connect.grpc.binding.port": port,
            "spark.ui.enabled": "false", "spark.log.level": "WARN",
            "spark.local.dir": folder, "spark.sql.warehouse.dir": folder / "warehouse",
            "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
            "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
            "spark.sql.shuffle.partitions": 2, "spark.databricks.delta.snapshotPartitions": 1}
    if events:
        conf |= {"spark.eventLog.enabled": "true", "spark.eventLog.dir": events.resolve().as_uri(),
                 "spark.eventLog.compress": "false"}
    return [str(spark_home / "bin" / "spark-submit"), "--master", "local[2]", "--driver-memory", MEMORY,
            "--driver-java-options", java, "--packages", package(),
            *[word for name, value in conf.items() for word in ("--conf", f"{name}={value}")],
            "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]


def _environment(java: str, folder: Path) -> dict[str, str]:
    """Ours without what would point Spark elsewhere; its Python workers run this Python."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SPARK_", "PYSPARK_"))}
    return kept | {"JAVA_HOME": str(Path(java).resolve().parents[1]), "SPARK_HOME": str(_spark_home()),
                   "SPARK_LOCAL_IP": HOST, "SPARK_LOCAL_DIRS": str(folder), "PYSPARK_PYTHON": sys.executable}


def _spark_home() -> Path:
    found = find_spec("pyspark")
    assert found is not None and found.submodule_search_locations
    return Path(found.submodule_search_locations[0])


def _await_ready(service: Service, port: int, jars: Path) -> None:
    try:
        service.await_ready(lambda: _listens(service, port), READY_SECONDS)
    except ServiceEnded:
        said = service.log.read_text(encoding="utf-8", errors="replace")
        if UNFETCHED.search(said):
            raise Refusal(f"{package()} could not be fetched into {jars}; let this machine reach Maven Central, or set "
                          "DEFAULT_ARTIFACT_REPOSITORY to a mirror of it, or set CONCORD_JARS to a copy of this folder "
                          "from a machine that has it") from None
        if "Address already in use" in said:
            raise Refusal(f"port {port} was taken in the meantime; give another with --port (0 takes a free one)") from None
        raise


def _listens(service: Service, port: int) -> bool:
    """Whether the server itself, not somebody else, listens on the port."""
    with suppress(psutil.Error):
        return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port
                   for c in psutil.Process(service.process.pid).net_connections("tcp"))
    return False


def _stop(service: Service) -> None:
    """End the process group; Python workers have groups of their own and end when the server does."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(service.process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            service.process.wait(PATIENCE_SECONDS)
            break
    if service.process.stdin:
        service.process.stdin.close()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
