"""People who withdraw in the CRM on demand: who is in by consent, what the CRM then holds, and a file that remembers it.

A file of a run holds [{"contact", "said", "at"}]: who, when they said so by the clock of the one who asked, and the
world's clock then, both in milliseconds since 1970. The next run shows them again, so that nobody's no is forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from .app_records import PURPOSES
from .credentials import write_private
from .population import salesforce_id
from .versions import Record, Version, history, salesforce_time
from .world import World

# Without a yes to these, nobody is in what is made of readings.
NEEDED = ("adherence_monitoring", "decision_support")


def withdraw(world: World, file: Path, people: int, now: int) -> None:
    """Show the withdrawals that a file remembers, add some of people who are in by consent, and remember these too.

    Raises ValueError when fewer people are left who are in by consent.
    """
    rows: list[dict[str, int | str]] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    for row in rows:
        _show(world, str(row["contact"]), int(row["said"]), int(row["at"]))
    if not people:
        return
    known = {row["contact"] for row in rows}
    chosen = [contact for contact in in_by_consent(world) if contact not in known][:people]
    if len(chosen) < people:
        raise ValueError(f"{people} people are to withdraw, but {len(chosen)} are in by consent and known to the CRM; ask for "
                         "fewer, or simulate more people")
    for contact in chosen:
        rows.append({"contact": contact, "said": max(now, world.clock), "at": world.clock})
        _show(world, contact, max(now, world.clock), world.clock)
    write_private(file, rows)


def in_by_consent(world: World) -> list[str]:
    """Contacts of people who said yes to what is needed, whom app and CRM know by one verified e-mail address.

    Sorted by id, so that it does not matter how they were found. The person whom tests look for is never among them.
    """
    mails = {str(record["email"]).lower() for record in _willing(world)}
    unwilling = {v.record["PartyId"] for v in world.crm.logs["ContactPointTypeConsent"].current(world.clock)
                 if v.record["PrivacyConsentStatus"] == "OptOut" and v.record["DataUsePurpose__c"] in NEEDED
                 and v.record["ContactPointType"] is None}
    canaries = {contact for person, _, contact, *_ in world.crm.contacts if person.is_canary}
    return sorted({v.record["ParentId"] for v in world.crm.logs["ContactPointEmail"].current(world.clock)
                   if not v.deleted and v.record["IsVerified__c"] and v.record["EmailAddress"].lower() in mails
                   and v.record["ParentId"] not in unwilling | canaries})


def _willing(world: World) -> Iterator[Record]:
    """App users with a verified e-mail address whose last word on each purpose needed is yes."""
    app, clock = world.app, world.clock
    said = {(s["user_id"], s["purpose"], s["recipient"]): s["decision"] for s in sorted(
        app.consents.page(0, app.consents.end(clock)), key=lambda s: str(s["recorded_at"]))}
    users = {user["id"]: user for user in app.users.page(0, app.users.end(clock))}
    return (user for name, user in users.items() if user.get("email") and user["email_verified"]
            and all(said.get((name, purpose, None)) == "granted" for purpose in NEEDED))


def _show(world: World, contact: str, said: int, at: int) -> None:
    """A no to every purpose, beside what the contact said before."""
    country = next(person.country for person, _, name, *_ in world.crm.contacts if name == contact)
    world.crm.logs["ContactPointTypeConsent"].extend(
        version for purpose in PURPOSES for version in _statement(world, contact, country, purpose, said, at))


def _statement(world: World, contact: str, country: str, purpose: str, said: int, at: int) -> Iterator[Version]:
    name, when = salesforce_id("0ZY", world.settings.seed, "asked for", contact, purpose), salesforce_time(said)
    return history(name, [(at, {
        "Id": name, "PartyId": contact, "ContactPointType": None, "DataUsePurpose__c": purpose, "Recipient__c": None,
        "PrivacyConsentStatus": "OptOut", "EffectiveFrom": when, "EffectiveTo": None, "CaptureDate": when,
        "CaptureSource": "Call centre", "Country__c": country, "IsDeleted": False, "CreatedDate": salesforce_time(at),
        "SystemModstamp": salesforce_time(at)})])
