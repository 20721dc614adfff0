"""Lakes that many tests start from: made once, copied by each."""

from __future__ import annotations

import pytest

from jobs.settings import Settings
from tests import small_lake


@pytest.fixture(scope="session")
def small_release(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Settings:
    """The small lake with a first release. To be copied (``small_lake.copy``), never written."""
    made = small_lake.settings(tmp_path_factory.mktemp("small_release"), engine)
    small_lake.fill(made)
    small_lake.released(made)
    return made
