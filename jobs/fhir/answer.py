"""What consents say to a request, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jobs.fhir.codes import REDACT, Because, Coding, Decision


@dataclass(frozen=True)
class Reason:
    """Why a consent, or one of its provisions, counted or did not."""

    consent: str
    why: Because
    provision: str = ""

    def document(self) -> dict[str, str]:
        """It as JSON."""
        return {"consent": self.consent, "reason": str(self.why), **({"provision": self.provision} if self.provision else {})}


@dataclass
class Answer:
    """The decision, what must be redacted where it is a yes, and why."""

    decision: Decision
    codes: list[Coding] = field(default_factory=list)
    except_codes: list[Coding] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    because: list[Reason] = field(default_factory=list)

    def become(self, other: Answer) -> None:
        """Take over what another answer says, but not why."""
        self.decision, self.codes, self.data, self.except_codes = other.decision, other.codes, other.data, other.except_codes

    def document(self) -> dict[str, Any]:
        """It as the hook's decision, obligations and the reasons."""
        held = {"codes": [c._asdict() for c in dict.fromkeys(self.codes)],
                "exceptAnyOfCodes": [c._asdict() for c in dict.fromkeys(self.except_codes)],
                "references": list(dict.fromkeys(self.data))}
        obligations = [{"id": REDACT._asdict(), "parameters": {name: found}} for name, found in held.items() if found]
        return {"decision": str(self.decision), "obligations": obligations if self.decision is Decision.PERMIT else [],
                "because": [reason.document() for reason in self.because]}
