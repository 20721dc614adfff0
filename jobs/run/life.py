"""Whether the contracts that a stage reads may run: by their status, and outside development by a review that holds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from contracts import life
from contracts.compare import between
from contracts.life import Environment
from contracts.load import Catalog
from contracts.model import Contract, Product, Recipient, Source
from contracts.reading import ContractError
from jobs import keys
from jobs.errors import NotInForce
from jobs.lake import Lake
from jobs.ledger import batches, contract_reviews
from jobs.ledger.contract_reviews import Standing, State
from jobs.settings import Settings

CONSENT = ("core.consent", "core.identity", "core.contact_point")
MOST_NAMED = 5
JOINT = "\n---\n"  # Between the files that a review is about: a contract, and the hierarchies that it names.


def _source(known: Catalog, subject: str) -> list[Contract]:
    return [known.sources[subject]]


def _product(known: Catalog, subject: str) -> list[Contract]:
    return [known.products[subject]]


def _group(known: Catalog, subject: str) -> list[Contract]:
    """None by its status: a release leaves out those that do not run."""
    return []


def _recipient(known: Catalog, subject: str) -> list[Contract]:
    """By recipient, or by an extract of it (recipient-run); none for an extract that there is not, which its stage tells."""
    recipient = known.recipients.get(subject if subject in known.recipients else subject.rpartition("-")[0])
    return [] if recipient is None else [recipient, known.products[recipient.product]]


def _nobody(known: Catalog, subject: str) -> list[Contract]:
    """About who is whom, which no single contract decides."""
    return []


# Whose status decides about a stage. What is read besides must be reviewed too: see ``_read``.
STAGES: dict[str, Callable[[Catalog, str], list[Contract]]] = {
    "land": _source, "conform": _source, "replay.rejected": _source, "build": _product, "release": _group,
    "extract.prepare": _recipient, "extract.deliver": _recipient, "resolve": _nobody, "link.train": _nobody}
# No contract's life stops these: a duty (screening, purging, recalling, retention), an officer's word, an answer about what was
# done or is late, the care of files, and what puts right a table that somebody wrote to by hand: reviews may stand in it.
FREE = frozenset({"screen", "purge", "recall", "retention", "extract.record", "explain", "replay", "review.show", "review.decide",
                  "contract.review", "keys.rotate", "keys.retire", "reidentify.request", "reidentify.tell", "freshness",
                  "maintain", "restore", "accept", "forget", "erasure.requests", "erasure.grant", "audit.about",
                  "suppression.lift", "access"})

# These take in what one source sent. Whatever else runs joins identities and decides by them, on any legal basis.
OF_RECORDS = frozenset({"land", "conform", "replay.rejected"})


def refuse(settings: Settings, known: Catalog, lake: Lake, stage: str, subject: str) -> None:
    """Raise NotInForce unless every contract that a stage reads may run; KeyError for a stage that no table here knows."""
    where, today = life.environment(settings.environment), datetime.now(UTC).date()
    if stage in FREE:
        return
    contracts = STAGES[stage](known, subject)
    for contract in contracts:
        if not life.may_run(contract, where, today):
            raise NotInForce(_says(contract, where))
    if where is Environment.DEVELOPMENT:
        return
    if stage == "release":
        contracts = [p for p in known.release_groups()[subject] if life.may_run(p, where, today)]
    names = _read(known, lake, contracts, stage not in OF_RECORDS)
    wrong = [f"{name} {_why(name, found)}" for name, found in standings(settings, lake, sorted(names)).items()
             if found.state is not State.VALID]
    if wrong:
        more = f"\nand {len(wrong) - MOST_NAMED} more" if len(wrong) > MOST_NAMED else ""
        raise NotInForce("outside development (CONCORD_ENVIRONMENT) only reviewed contracts run; `concord contract status` lists "
                         "all of them:\n" + "\n".join(wrong[:MOST_NAMED]) + more)


def needs(known: Catalog, lake: Lake, contract: Contract) -> tuple[list[Contract], set[str]]:
    """What a contract runs by: those whose status decides, and all that must be reviewed."""
    contracts = [contract, known.products[contract.product]] if isinstance(contract, Recipient) else [contract]
    return contracts, _read(known, lake, contracts, not isinstance(contract, Source))


def refuse_unreviewed(settings: Settings, lake: Lake, name: str) -> None:
    """Raise NotInForce outside development unless a contract is reviewed as it is, whatever its status: for what goes for good
    by what it says."""
    if life.environment(settings.environment) is Environment.DEVELOPMENT:
        return
    found = standings(settings, lake, [name])[name]
    if found.state is not State.VALID:
        raise NotInForce(f"{name} {_why(name, found)}")


def standings(settings: Settings, lake: Lake, names: Iterable[str]) -> dict[str, Standing]:
    """What the reviews of contracts come to. Raises KeysUnreadable where signatures cannot be checked."""
    files, reviews = life.reviewable(), contract_reviews.every(lake)
    if not reviews:
        return {name: Standing(State.NONE) for name in names}
    key = keys.public_key(settings.keys)
    return {name: contract_reviews.standing(reviews, name, life.fingerprint(files[name]), key) for name in names}


def since(name: str, found: Standing) -> str:
    """What was edited in a contract since its review."""
    files = life.reviewable()[name]
    reviewed = found.review["content"].split(JOINT) if found.review else []
    names = {(file.parent.name, file.name) for file in files}
    if not len(names) == len(files) == len(reviewed) or name in life.RULES:
        return "its text was edited"
    with tempfile.TemporaryDirectory() as folder:
        for file, content in zip(files, reviewed, strict=True):
            old = Path(folder, file.parent.name, file.name)
            old.parent.mkdir(exist_ok=True)
            old.write_text(content, "utf-8")
        try:
            changes = between(Path(folder, files[0].parent.name, files[0].name), files[0]).changes
        except ContractError:
            return "what was reviewed does not fit the rules of today any more"
    said = [f"{c.place}: {c.before} to {c.after}" for c in changes[:MOST_NAMED]]
    more = [f"{len(changes) - MOST_NAMED} more"] if len(changes) > MOST_NAMED else []
    return "; ".join([*said, *more]) or "words or its version, nothing that is compared"


def _read(known: Catalog, lake: Lake, contracts: Iterable[Contract], is_about_people: bool) -> set[str]:
    """What must be reviewed: contracts, the tables of core they read, and for whatever decides about people
    the rules and every source that anything came from, since its ``linkPurposes`` count."""
    tables: set[str] = set()
    for contract in contracts:
        tables.update(contract.tables if isinstance(contract, Source) else ())
        tables.update(contract.inputs if isinstance(contract, Product) else ())
    found = {_name(contract) for contract in contracts}
    if is_about_people:
        tables.update(CONSENT)
        landed = {name.rpartition(".")[0] for name in batches.conformed(lake)}
        found |= {*life.RULES, *(f"sources/{source}" for source in landed & known.sources.keys())}
    return found | {life.declaring(table) for table in tables}


def _name(contract: Contract) -> str:
    kinds: dict[type[Contract], str] = {Source: "sources", Product: "products", Recipient: "recipients"}
    return f"{kinds[type(contract)]}/{contract.id}"


def _says(contract: Contract, where: Environment) -> str:
    name = _name(contract)
    if isinstance(contract, Product) and contract.retirement and contract.status in life.SERVED:
        return (f"{name} was made until {contract.retirement}; write status: retired, or a later day where its readers need it")
    if contract.status == "retired" and isinstance(contract, Source):
        return (f"{name} is retired: it does not run. If batches or a replay of it wait, put the contract back as it was, with "
                f"status: active, run `concord conform {contract.id}` or `concord replay {contract.id}`, then write status: "
                "retired again")
    if contract.status == "retired":
        return f"{name} is retired: it never runs again; what was released under it can be read on"
    ready = "When it is ready, write status: proposed, and have" if contract.status == "draft" else "Have"
    return (f"{name} is {contract.status}: in {where} only active and deprecated contracts run. {ready} it reviewed "
            f"(`concord contract review {name}`), then write status: active")


def _why(name: str, found: Standing) -> str:
    again = f"let an officer run `concord contract review {name}`"
    by = f"{found.review['reviewer']} on {found.review['reviewed_at']:%Y-%m-%d}" if found.review else ""
    match found.state:
        case State.VOID:
            return f"was edited since {by} approved it ({since(name, found)}); {again}"
        case State.REFUSED:
            assert found.review is not None
            return f"was refused by {by}: {found.review['remarks']}. To make it lawful: {found.review['instead']}"
        case State.ALTERED:
            return "has a review that the platform did not sign so: restore ledger.contract_review, or the signing key"
        case _:
            return f"has no review; {again}"
