"""Reviews of contracts: an officer approves or refuses one as it is, and everybody sees what became of all of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts import catalog, life
from contracts.load import KINDS
from contracts.majors import notice
from contracts.model import Contract, Product
from contracts.objections import found as objections
from contracts.places import near
from contracts.reading import text
from jobs import keys
from jobs.errors import ConfigurationError
from jobs.lake import Lake
from jobs.ledger import contract_reviews
from jobs.ledger.contract_reviews import APPROVED, REFUSED, State
from jobs.run import asking
from jobs.run import life as running
from jobs.run.asking import Question
from jobs.run.shell import Report, open_shell
from jobs.settings import Settings

PROOF = "airflow_token"
LONGEST = 4_000


def named(contract: str) -> str:
    """The name (kind/id) that a name, an id or a path means. Raises ConfigurationError."""
    files = life.reviewable()
    path = Path(contract)
    fits = [name for name, paths in files.items() if contract in (name, name.rpartition("/")[2])
            or (path.exists() and path.resolve() in [each.resolve() for each in paths])]
    if len(fits) != 1:
        said = f"may be {' or '.join(fits)}" if fits else f"is no contract{near(contract, files)}"
        raise ConfigurationError(f"{contract!r} {said}; name one that `concord contract status` lists")
    return fits[0]


def review(settings: Settings, contract: str, is_approved: bool, remarks: str, instead: str, question: Question) -> Report:
    """Write down what an officer says of a contract as it is now, signed.

    Raises NotAuthorised unless an officer says it, ConfigurationError for a draft or a retired contract, for a refusal that does
    not say why and how to make it lawful, and for an approval without remarks of what ``contract check`` objects to.
    """
    name = named(contract)
    with open_shell(settings, "contract.review", name, with_engine=False) as shell:
        asking.authorised(shell, question, asking.Proved)
        files, remarks, instead = life.reviewable()[name], remarks.strip(), instead.strip()
        for file in files:
            _refuse_unready(name, life.stated(file, "status"))
        _refuse_unsaid(name, files, is_approved, remarks, instead)
        row = {"contract": name, "reviewed_at": datetime.now(UTC), "reviewer": shell.trail.proved_actor,
               "version": life.stated(files[0], "version"), "fingerprint": life.fingerprint(files),
               "decision": APPROVED if is_approved else REFUSED, "remarks": remarks, "instead": instead,
               "content": running.JOINT.join(map(text, files)), "proof": PROOF}
        contract_reviews.write(shell.lake, row, keys.signing_key(settings.keys))
        shell.report.change(contract_reviews.TABLE)
        shell.trail.writes(contract_reviews.TABLE)
        shell.report.facts.update({key: row[key] for key in ("contract", "version", "fingerprint", "decision", "reviewer")})
        return shell.report


def status(settings: Settings) -> list[dict[str, Any]]:
    """Every contract: its status, what its reviews come to, who said so, whether it may run here with all that it reads, and
    when a product ends."""
    where, today, files, known = life.environment(settings.environment), datetime.now(UTC).date(), life.reviewable(), catalog()
    contracts: dict[str, Contract] = {f"{kind}/{name}": contract for kind in KINDS
                                      for name, contract in getattr(known, kind).items()}
    lake, found = Lake(settings.lake_root, known.tables), []
    standings = running.standings(settings, lake, files)
    for name, standing in standings.items():
        contract, by = contracts.get(name), standing.review or {}
        deciding, read = running.needs(known, lake, contract) if contract else ([], {name})
        ends = contract.retirement if isinstance(contract, Product) else None
        found.append({
            "contract": name, "version": life.stated(files[name][0], "version"), "status": life.stated(files[name][0], "status"),
            "review": str(standing.state), "reviewer": by.get("reviewer"),
            "reviewed_at": by["reviewed_at"].isoformat() if by else None,
            "remarks": by.get("remarks"), "instead": by.get("instead"),
            "edited": running.since(name, standing) if standing.state is State.VOID else None,
            "runs": (all(life.may_run(each, where, today) for each in deciding)
                     and (where is life.Environment.DEVELOPMENT or all(standings[each].state is State.VALID for each in read))),
            "made_until": ends.on.isoformat() if ends else None, "replaced_by": ends.replaced_by if ends else None,
            "notice": notice(contract, today) if isinstance(contract, Product) else None})
    return found


def _refuse_unready(name: str, said: str) -> None:
    if said not in (*life.REVIEWABLE, "-"):
        raise ConfigurationError(f"{name} is {said}; a review is about what is proposed, active or deprecated. Its author writes "
                                 "status: proposed when it is ready")


def _refuse_unsaid(name: str, files: tuple[Path, ...], is_approved: bool, remarks: str, instead: str) -> None:
    if max(len(remarks), len(instead)) > LONGEST:
        raise ConfigurationError(f"remarks and --instead take up to {LONGEST} characters each")
    if not is_approved and not (remarks and instead):
        raise ConfigurationError("a refusal says why and how to make it lawful: give --remarks and --instead")
    if is_approved and instead:
        raise ConfigurationError("--instead says how to make a refused contract lawful; an approval has only --remarks")
    if is_approved and not remarks and name.split("/")[0] in KINDS:
        objected = [f"{path.name}:{line}: {it.said}" for path, line, it in objections(files[:1], datetime.now(UTC).date())]
        if objected:
            raise ConfigurationError("say in --remarks why it may be approved all the same:\n" + "\n".join(objected))
