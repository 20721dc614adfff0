"""A plug-in for pytest: only tests that use an engine are run. The others know nothing of which one it is."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out every test that has not the fixture ``engine``, directly or through another."""
    others = [item for item in items if "engine" not in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]
