"""The world: four systems that are asked and two that drop files, seen as of a clock that only control requests move."""

from __future__ import annotations

from math import ceil

from .app_records import AppRecords
from .cloud_records import CloudRecords
from .crm_records import CrmRecords
from .export_records import CommunityRecords, StudyRecords
from .population import DAY_MS, Population, Settings
from .social_records import SocialRecords

SOURCES = ("app", "crm", "social", "device_cloud")


class World:
    """Everything that changes up to the clock is shown. Days are generated once and never changed."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.population = settings, Population(settings)
        self.app, self.crm = AppRecords(self.population), CrmRecords(self.population)
        self.social, self.cloud = SocialRecords(self.population), CloudRecords(self.population)
        self.community, self.study = CommunityRecords(self.population), StudyRecords(self.population)
        self.grown, self.clock = 0, settings.start_ms
        self.reset()

    def reset(self) -> None:
        """Set the clock to the start plus the days the world was made with."""
        self.clock = self.settings.start_ms
        self.advance(self.settings.days)

    def advance(self, days: float) -> None:
        """Move the clock on and generate the days it now reaches."""
        self.clock += int(days * DAY_MS)
        reached = ceil((self.clock - self.settings.start_ms) / DAY_MS)
        if reached > self.grown:
            for records in (self.app, self.crm, self.social, self.cloud):
                records.grow(self.grown, reached)
            self.grown = reached

    def counts(self) -> dict[str, dict[str, int]]:
        """Records by source and stream that a full read at the clock returns (app: changes; others: current ones)."""
        clock = self.clock
        cloud = {name: sum(not v.deleted for v in log.current(clock)) for name, log in self.cloud.logs.items()}
        cloud["Observation"] = int((~self.cloud.observations.current(clock)["deleted"]).sum())
        return {
            "app": {name: feed.end(clock) for name, feed in self.app.streams.items()},
            "crm": {name: sum(1 for v in log.current(clock) if not v.deleted) for name, log in self.crm.logs.items()},
            "social": {"statuses": sum(status.is_shown(clock) for status in self.social.statuses)},
            "device_cloud": cloud}
