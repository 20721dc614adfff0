"""audit: whether the audit is whole, and who asked about a person, told to an officer alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyarrow.compute as pc

from contracts.load import catalog
from jobs.errors import ConfigurationError
from jobs.lake import Lake
from jobs.ledger import audit, chain
from jobs.run import asking, commitments
from jobs.run.asking import Person, Question
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings

TOLD = ("number", "at", "actor", "stage", "subject", "result")
Answer = dict[str, Any]


def verify(settings: Settings, head: str | None = None) -> chain.Verdict:
    """Look whether the audit is one whole chain, and whether an entry with the seal ``head``, kept elsewhere, is in it still."""
    return chain.verify(audit.entries(Lake(settings.lake_root, catalog().tables)), head)


def tell(settings: Settings, question: Question, tell: Callable[[Answer], None]) -> Report:
    """Tell ``tell`` which runs were about a person, whichever of their identities was asked about (GDPR article 15; Court of
    Justice, C-579/21). Raises NotAuthorised unless an officer asks, ConfigurationError without a person."""
    with open_shell(settings, "audit.about", "person", with_engine=False) as shell:
        person = asking.authorised(shell, question, asking.Asked).person
        if person is None:
            raise ConfigurationError(f"standard input names no person; it is of the form {asking.SHAPES[asking.Asked]}")
        theirs = _identities(shell, person)
        opened = commitments.those_about(shell.lake, theirs)
        commitments.about(shell, theirs or [person])
        shell.trail.reads(audit.TABLE, commitments.TABLE, commitments.LINK)
        shell.report.is_answer = True
        shell.report.facts.update(known=bool(theirs))
        found = [entry for entry in audit.entries(shell.lake) if opened & set(json.loads(entry["about"]))]
        tell({"asked_by": shell.trail.proved_actor, "is_known": bool(theirs),
              "entries": [{name: entry[name] for name in TOLD} for entry in found]})
        return shell.report


def _identities(shell: Shell, person: Person) -> list[Person]:
    """All identities that are one person with the one asked about; none of somebody who is linked to nobody."""
    columns = ["source", "source_person_id"]
    wanted = (pc.field("source") == person.source) & (pc.field("source_person_id") == person.source_person_id)
    keys = shell.lake.arrow(commitments.LINK, columns=["person_key"], filters=wanted)["person_key"]
    found = shell.lake.arrow(commitments.LINK, columns=columns, filters=pc.field("person_key").isin(keys.combine_chunks()))
    return [Person(**row) for row in found.to_pylist()]
