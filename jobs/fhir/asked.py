"""A request before the consents of a bundle: which provisions are about it, and how much of the data each is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobs.fhir import dates
from jobs.fhir.answer import Answer
from jobs.fhir.bundle import Bundle
from jobs.fhir.codes import PURPOSE_SYSTEMS, RECEIVING_ROLES, USING_ACTIONS, Because, Coding, Decision, narrower
from jobs.fhir.consent import Provision
from jobs.fhir.request import Request


@dataclass(frozen=True)
class Asked:
    """What is asked of the consents of a bundle, and when."""

    bundle: Bundle
    request: Request
    at: datetime

    @property
    def classes(self) -> set[Coding]:
        """The classes of data asked for; all when none is named."""
        return {c.pair for c in self.request.classes}

    def apart(self, provision: Provision, refusing: bool) -> Because | None:
        """Why a provision is not about the request; None when it is. What cannot be told counts for a no, never for a yes."""
        if not dates.contains(provision.period, self.at):
            return Because.NOT_IN_PERIOD
        if provision.purposes and not self._fits_purpose(provision, refusing):
            return Because.OTHER_PURPOSE
        if provision.actors and not self._names_actor(provision, refusing):
            return Because.OTHER_ACTOR
        held = set(provision.classes)
        fits = self.classes & held if refusing else self.classes <= held
        if held and self.classes and not fits:
            return Because.OTHER_CLASS
        if provision.actions and not refusing and not set(provision.actions) & set(USING_ACTIONS):
            return Because.OTHER_ACTION
        return None

    def only(self, provision: Provision) -> list[Coding] | None:
        """The codes of which data must have one under a yes; empty when all may pass, None when that cannot be said."""
        kinds = [kind for kind in (provision.labels, provision.codes, () if self.classes else provision.classes) if kind]
        if provision.data or provision.data_period or len(kinds) > 1:
            return None
        return list(kinds[0]) if kinds else []

    def refused(self, provision: Provision) -> Answer:
        """What a no that fits means: some data are redacted, or nothing goes."""
        if provision.data_period or not provision.is_partial or self.classes & set(provision.classes):
            return Answer(Decision.DENY)
        return Answer(Decision.PERMIT, codes=list(provision.what), data=list(provision.data))

    def _fits_purpose(self, provision: Provision, refusing: bool) -> bool:
        asked = set(self.request.purpose_of_use)
        if not refusing:
            return bool(asked & {c.code for c in provision.purposes if c.system in PURPOSE_SYSTEMS})
        return not asked or bool(asked & {below for c in provision.purposes for below in narrower(c.code)})

    def _names_actor(self, provision: Provision, refusing: bool) -> bool:
        asked = {i.pair for i in self.request.actor}
        if refusing and not asked:
            return True
        named = provision.actors if refusing else [a for a in provision.actors if a.role in RECEIVING_ROLES or not a.role]
        known = [self.bundle.identifiers(actor) for actor in named]
        return (refusing and None in known) or any(asked & set(k or ()) for k in known)
