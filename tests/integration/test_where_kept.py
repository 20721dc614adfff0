"""The index of who is where is kept beside the stages, and never in their way."""

from __future__ import annotations

import pytest

from contracts import catalog
from jobs.errors import IntegrityError
from jobs.run import whereabouts
from jobs.run.requested import list_requests
from jobs.run.where import where
from jobs.settings import Settings
from jobs.whereabouts import TABLE, cursor
from tests import small_lake
from tests.integration.airflow_stand_in import Users
from tests.integration.test_where import asked, told, versions
from tests.integration.two_releases import airflow, home, prepared
from tests.landing import lake_of as lake

__all__ = ["airflow", "home", "prepared"]


def test_a_stage_does_not_fail_for_a_table_that_cannot_be_read(home: Settings, airflow: Users) -> None:
    """It stays behind in the index, alone; whoever asks is told, and once it is mended it is there."""
    told(home)
    for table, name in (("core.identity", "late-comer"), ("core.message", "writer")):
        more = {"channel_code": "social", "posted_at": small_lake.START, "text": "x", "is_from_brand": False}
        small_lake.append(lake(home), table, [{"source_person_id": name, **(more if table == "core.message" else {"country_code": "DE"})}])
    broken = max(small_lake.Path(lake(home).path("core.identity")).glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    content, before = broken.read_bytes(), cursor.through(lake(home))
    broken.write_bytes(content[:-3])
    list_requests(home)
    after = cursor.through(lake(home))
    assert after["core.identity"] == before["core.identity"] and after["core.message"] == lake(home).version("core.message")
    with pytest.raises(IntegrityError, match=r"core\.identity: a file of it cannot be read"):
        where(home, asked(), lambda _: pytest.fail("told"))
    broken.write_bytes(content)
    assert "core.identity" in versions(told(home, "late-comer"))


def test_a_stage_does_not_fail_where_another_machine_is_at_the_index(home: Settings, airflow: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    told(home)
    small_lake.append(lake(home), "core.identity", [{"source_person_id": "late-comer", "country_code": "DE"}])
    with monkeypatch.context() as patch:
        patch.setattr(type(lake(home)), "done", lambda self, name, once: 0 if name == TABLE else 99_000)
        whereabouts.keep(home, lake(home), catalog())
    assert "core.identity" in versions(told(home, "late-comer"))
