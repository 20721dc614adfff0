"""One Apache Spark server for all tests of this folder.

Where Java or Delta's jars are missing they are skipped, and the end of the run says so; where CONCORD_REQUIRE_SPARK is
1 they fail instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra.local.preflight import Refusal
from infra.local.spark_server import jars_folder, running
from tests.conftest import REFUSED

# Compiled once and quickly: what tests ask is asked once, of few rows, and the best code costs more than it saves.
JAVA = "-XX:TieredStopAtLevel=1"


@pytest.fixture(scope="session")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the server's event log."""
    return tmp_path_factory.mktemp("events")


@pytest.fixture(scope="session")
def apache(events: Path) -> Iterator[str]:
    """The address of a running Apache Spark, for CONCORD_ENGINE."""
    with ExitStack() as stack:
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("JAVA_TOOL_OPTIONS", JAVA)
                server = stack.enter_context(running(jars_folder(), events=events))
        except Refusal as refusal:
            if os.environ.get("CONCORD_REQUIRE_SPARK") == "1":
                pytest.fail(f"CONCORD_REQUIRE_SPARK is 1, but {refusal}", pytrace=False)
            pytest.skip(f"{REFUSED}{refusal}")
        yield server.address
