"""link train: the shell that learns how identities match, and keeps the model. Runs only score with it."""

from __future__ import annotations

from datetime import UTC, datetime

from contracts import matching
from jobs.ledger import models
from jobs.run.identities import INPUTS, profiles
from jobs.run.shell import Report, open_shell
from jobs.settings import Settings


def train(settings: Settings) -> Report:
    """Learn a model from the identities that core knows, without labels. Raises ConfigurationError for fewer than two."""
    with open_shell(settings, "link.train", "people", with_engine=True) as shell:
        from jobs.matching.learning import learn

        known = profiles(shell.lake)
        stored = learn(known, matching.load())
        models.keep(shell.lake, stored, known.num_rows, shell.trail.run_id, datetime.now(UTC))
        shell.trail.reads(*INPUTS)
        for name in (models.FREQUENCY, models.MODEL):
            shell.report.change(name)
            shell.trail.writes(name)
        shell.report.facts.update(model=stored.id, identities=known.num_rows, rules=len(stored.rules),
                                  least=round(stored.least, 2))
        return shell.report
