"""reidentify: who stands behind a pseudonym, for two officers and a purpose. One asks, another one is told.

The ledger has the request before anybody can answer it, and who is told before they are; both hold commitments, and name neither
the pseudonym nor the person. What cannot be written or read, is not told.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from contracts.load import catalog
from contracts.vocabulary import ReversalPurpose
from jobs.errors import ConfigurationError, NotAuthorised
from jobs.lake import Lake
from jobs.run import asking, commitments, epochs, pseudonyms
from jobs.run.asking import Person, Question
from jobs.run.shell import Report, Shell, open_shell
from jobs.schema import arrow_schema
from jobs.settings import Settings
from jobs.stages.own_keys import own_key
from jobs.turn import turn

TABLE, LINK = "ledger.reversal", "vault.link"
PSEUDONYM, LONGEST_REASON = re.compile(r"[0-9a-f]{32}"), 500
VALID = timedelta(days=7)
Answer = dict[str, Any]


def request(settings: Settings, domain: str, purpose: ReversalPurpose, question: Question) -> Report:
    """Write down that an officer asks who a pseudonym is, and why.

    Raises NotAuthorised unless an officer asks, ConfigurationError for an unknown domain, no pseudonym of it or one that nobody
    has any more, or no reason.
    """
    with open_shell(settings, "reidentify.request", domain, with_engine=False) as shell:
        given = asking.authorised(shell, question, asking.Reversed)
        reason = given.reason.strip()
        if not reason or len(reason) > LONGEST_REASON:
            raise ConfigurationError(f"say why, in 1 to {LONGEST_REASON} characters: {asking.SHAPES[asking.Reversed]}")
        epochs.refuse_unknown(shell.catalog, domain)
        persons = _identities(shell, _person(shell, domain, given.pseudonym))
        if not persons:
            raise ConfigurationError("nobody has this pseudonym any more: its person was merged with another one since; ask with "
                                     "a newer pseudonym")
        commitments.about(shell, persons)
        reference = commitments.made(shell, _named(domain, given.pseudonym), persons)
        row = {"reversal_id": secrets.token_hex(8), "domain": domain, "reference": reference,
               "purpose_code": str(purpose), "reason": reason, "requested_by": shell.trail.proved_actor,
               "requested_at": datetime.now(UTC), "told_to": None, "told_at": None}
        _write(shell, row)
        shell.report.facts.update(reversal=row["reversal_id"], by=row["requested_by"], purpose=str(purpose))
        return shell.report


def tell(settings: Settings, reversal_id: str, question: Question, tell: Callable[[Answer], None]) -> Report:
    """Tell another officer which identities of which sources stand behind the pseudonym of a request, once.

    Raises NotAuthorised unless another officer than who asked asks now, within seven days, for the same pseudonym.
    """
    with (open_shell(settings, "reidentify.tell", reversal_id, with_engine=False) as shell,
          turn(settings.home / "turns", f"reversal.{reversal_id}")):
        given = asking.authorised(shell, question, asking.Reversed)
        row = _waiting(shell, reversal_id)
        if not commitments.opens(shell.lake, row["reference"], _named(row["domain"], given.pseudonym)):
            raise NotAuthorised(f"request {reversal_id} is about another pseudonym, or about somebody who was forgotten since; "
                                "give the one that it was made for")
        persons = _identities(shell, _person(shell, row["domain"], given.pseudonym))
        commitments.about(shell, persons)
        _write(shell, {**row, "told_to": shell.trail.proved_actor, "told_at": datetime.now(UTC)})
        shell.trail.reads(pseudonyms.TABLE, LINK)
        shell.report.is_answer = True
        shell.report.facts.update(reversal=reversal_id)
        tell({"reversal": reversal_id, "domain": row["domain"], "purpose": row["purpose_code"],
              "requested_by": row["requested_by"], "told_to": shell.trail.proved_actor,
              "identities": list(map(msgspec.structs.asdict, persons))})
        return shell.report


def requests(settings: Settings) -> list[Answer]:
    """Every request, the newest first."""
    rows: list[Answer] = Lake(settings.lake_root, catalog().tables).arrow(TABLE).to_pylist()
    return sorted(rows, key=lambda row: row["requested_at"], reverse=True)


def _waiting(shell: Shell, reversal_id: str) -> Answer:
    rows = shell.lake.arrow(TABLE, filters=pc.field("reversal_id") == reversal_id).to_pylist()
    if not rows:
        raise ConfigurationError("no request is called that; `concord reidentify list` has them")
    row: Answer = rows[0]
    if row["told_at"] is not None:
        raise NotAuthorised(f"request {reversal_id} was answered to {row['told_to']}; ask anew")
    if row["requested_by"] == shell.trail.proved_actor:
        raise NotAuthorised(f"{row['requested_by']} made request {reversal_id}, so another officer must take the answer")
    if row["requested_at"].replace(tzinfo=UTC) + VALID < datetime.now(UTC):
        raise NotAuthorised(f"request {reversal_id} is older than {VALID.days} days; ask anew")
    return row


def _person(shell: Shell, domain: str, pseudonym: str) -> str:
    """The person key of a pseudonym of any epoch that lives. Raises ConfigurationError, which does not repeat it."""
    if PSEUDONYM.fullmatch(pseudonym):
        wanted = (pc.field("domain") == domain) & (pc.field("pseudonym") == pseudonym)
        found = shell.lake.arrow(pseudonyms.TABLE, columns=["person_key"], filters=wanted)["person_key"].to_pylist()
        if found:
            return str(found[0])
    gone = epochs.retired(epochs.of(shell.lake, domain))
    raise ConfigurationError(f"what was given is no pseudonym of domain {domain}; {f'{gone}; ' if gone else ''}give its 32 "
                             f"hexadecimal digits: {asking.SHAPES[asking.Reversed]}")


def _identities(shell: Shell, key: str) -> list[Person]:
    """The identities of a person; the one that a key of its own was made for, where it stays apart from its person's others."""
    columns = ["source", "source_person_id"]
    found = shell.lake.arrow(LINK, columns=columns, filters=pc.field("person_key") == key).to_pylist()
    if not found:
        links = shell.lake.arrow(LINK, columns=[*columns, "person_key"]).to_pylist()
        found = [{name: link[name] for name in columns} for link in links
                 if own_key(link["person_key"], link["source"], link["source_person_id"]) == key]
    return sorted((Person(**link) for link in found), key=lambda person: (person.source, person.source_person_id))


def _named(domain: str, pseudonym: str) -> str:
    return f"{domain}/{pseudonym}"


def _write(shell: Shell, row: Answer) -> None:
    shell.lake.merge_arrow(TABLE, pa.Table.from_pylist([row], schema=arrow_schema(shell.lake.contract(TABLE))))
    shell.report.change(TABLE)
    shell.trail.writes(TABLE)
