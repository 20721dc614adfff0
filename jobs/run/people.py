"""resolve: the shell that links source identities to persons, mints keys and holds what is likely for a review."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import pyarrow.compute as pc

from contracts import matching
from jobs.ledger import models
from jobs.matching.growing import grow
from jobs.matching.judging import Elsewhere
from jobs.matching.persons import ties
from jobs.matching.reviews import standing
from jobs.matching.stored import Stored
from jobs.run import identities
from jobs.run.linking import HELD, LINK, Linking
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings

DECISION = "vault.decision"


def resolve(settings: Settings) -> Report:
    """Link every identity that core knows, by the newest model; without one, by proofs alone.

    Only what moved since the last run is compared, unless that one was killed. Links are written before persons, so that a
    killed run leaves no person without a link, and profiles last, so that what it compared in vain is compared again.
    """
    with open_shell(settings, "resolve", "people", with_engine=True) as shell:
        lake, config, stored = shell.lake, matching.load(), models.newest(shell.lake)
        run = Linking(shell, stored.id if stored else None, identities.basis(stored), datetime.now(UTC))
        raw, decisions = identities.profiles(lake), standing(lake.arrow(DECISION))
        kept, edges = identities.kept(lake, run.basis)
        grown = grow(raw, kept, edges, config, stored, decisions, _cluster(shell, config, stored))
        now = run.matches(edges, grown)
        run.begin(kept, grown)
        changed = run.links(raw, grown, ties(grown.groups, now, decisions, config))
        minted = run.persons()
        run.keep_matches(edges, now)
        waiting = run.hold(now, decisions)
        run.profiles(kept, grown)
        shell.trail.reads(*identities.INPUTS, models.MODEL, DECISION)
        for name in (LINK, HELD):
            shell.trail.writes(name)
        persons = pc.count_distinct(lake.arrow(LINK, columns=["person_key"])["person_key"]).as_py()
        shell.report.facts.update(identities=raw.num_rows, persons=persons, **changed, minted=minted, held=waiting,
                                  model=run.model_id)
        return shell.report


def _cluster(shell: Shell, config: matching.Matching, stored: Stored | None) -> Elsewhere | None:
    """What weighs very many pairs on a cluster; None without one: the embedded engine has the same processors."""
    if stored is None or not shell.settings.engine.startswith("sc://"):
        return None
    from jobs.matching.on_engine import weigh

    return partial(weigh, shell.lake.spark, config, stored)
