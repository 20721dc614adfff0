"""The closed vocabularies of Concord: what a contract may say, and nothing else.

Each member carries the IRI of the W3C Data Privacy Vocabulary (DPV 2.3) where DPV has a term for it,
otherwise ``None``.
"""

from __future__ import annotations

from enum import Enum
from typing import Self

DPV = "https://w3id.org/dpv#"


# Concord's purposes and the codes of HL7's v3-ActReason (PurposeOfUse) that answer to them.
ACT_REASONS = {
    "brand_communication": ("HMARKT",), "adherence_monitoring": ("CAREMGT",),
    "research": ("HRESCH", "BIORCH", "CLINTRCH", "CLINTRCHNPC", "CLINTRCHPC", "PRECLINTRCH", "DSRCH", "POARCH", "TRANSRCH")}


class Term(str, Enum):
    """A word of a closed vocabulary: its value is what contracts write, ``dpv`` its IRI or None."""

    dpv: str | None

    def __new__(cls, value: str, dpv: str | None = None) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.dpv = DPV + dpv if dpv else None
        return member

    def __str__(self) -> str:
        return str(self.value)


class Purpose(Term):
    """The six kinds of initiative; every product and every consent statement names one or more.

    DPV's EducationalTraining (of staff) and SupportEntityDecisionMaking are measures of an organisation, no purposes.
    """

    BRAND_COMMUNICATION = "brand_communication", "Marketing"
    PATIENT_EDUCATION = "patient_education", None
    ADHERENCE_MONITORING = "adherence_monitoring", None
    RESEARCH = "research", "ScientificResearch"
    DECISION_SUPPORT = "decision_support", None
    PERSONALISED_SERVICES = "personalised_services", "ServicePersonalisation"

    @property
    def act_reasons(self) -> tuple[str, ...]:
        """The purposes of use of HL7's v3-ActReason that mean just this; care itself (TREAT) is none of ours."""
        return ACT_REASONS.get(self.value, ())


class LegalBasis(Term):
    """On what ground data is processed (GDPR articles 6 and 9)."""

    CONSENT = "consent", "Consent"
    EXPLICIT_CONSENT = "explicit_consent", "ExplicitlyExpressedConsent"
    LEGITIMATE_INTEREST = "legitimate_interest", "LegitimateInterest"
    LEGAL_OBLIGATION = "legal_obligation", "LegalObligation"

    @property
    def rests_on_consent(self) -> bool:
        """True where only people who said yes may be included."""
        return self in (LegalBasis.CONSENT, LegalBasis.EXPLICIT_CONSENT)


class DataCategory(Term):
    """What a column tells about a person."""

    IDENTIFYING = "identifying", "IdentifyingPersonalData"
    CONTACT = "contact", "PersonalData"
    DEMOGRAPHIC = "demographic", "PersonalData"
    HEALTH = "health", "SpecialCategoryPersonalData"
    BEHAVIOURAL = "behavioural", "ObservedPersonalData"
    FREE_TEXT = "free_text", "SensitivePersonalData"
    CONSENT_RECORD = "consent_record", "PersonalData"
    PSEUDONYMOUS = "pseudonymous", "PseudonymisedData"
    AGGREGATED = "aggregated", "AnonymisedData"
    TECHNICAL = "technical", "NonPersonalData"

    @property
    def is_special(self) -> bool:
        """True for data whose processing needs explicit consent (GDPR article 9)."""
        return self is DataCategory.HEALTH

    @property
    def is_asked(self) -> bool:
        """True for data that people are asked about: what is not personal, or about consent itself, is not."""
        return self not in (DataCategory.CONSENT_RECORD, DataCategory.PSEUDONYMOUS, DataCategory.AGGREGATED,
                            DataCategory.TECHNICAL)


class Treatment(Term):
    """What happens to a field between core and a product, or to one of a file (``concord treat``).

    ``drop`` and ``reject`` are for files: a product has no column of what may not leave, and ``reject`` refuses
    the whole record that has the field.
    """

    KEEP = "keep", None
    DROP = "drop", None
    PSEUDONYM = "pseudonym", "DeterministicPseudonymisation"
    DATE_SHIFT = "date_shift", None
    YEAR = "year", None
    AGE_BAND = "age_band", None
    AREA = "area", None
    BAND = "band", None
    MASK = "mask", "DataRedaction"
    SCRUB = "scrub", "DataRedaction"
    REJECT = "reject", None
    AGGREGATE = "aggregate", "Aggregate"


class Severity(Term):
    """What a broken expectation does."""

    REJECT_ROW = "reject_row", None
    REJECT_BATCH = "reject_batch", None
    WARN = "warn", None


class Channel(Term):
    """Where a person is reached or heard."""

    APP = "app", None
    EMAIL = "email", None
    PHONE = "phone", None
    POST = "post", None
    SOCIAL = "social", None
    WEB = "web", None


class ConsentDecision(Term):
    """What a consent statement says; ``asked`` means no answer yet, which permits nothing."""

    PERMIT = "permit", "ConsentGiven"
    DENY = "deny", "ConsentRefused"
    ASKED = "asked", "ConsentRequested"


class GivenBy(Term):
    """Who made a statement about a person."""

    SELF = "self", "DataSubject"
    GUARDIAN = "guardian", "GuardianOfDataSubject"


class Outcome(Term):
    """What became of a raw record: every landed record has exactly one."""

    ACCEPTED = "accepted", None
    SUPERSEDED = "superseded", None
    DUPLICATE = "duplicate", None
    DELETION = "deletion", None
    REFUSED = "refused", None
    REJECTED = "rejected", None


class RejectReason(Term):
    """Why a raw record was rejected."""

    NOT_UTF8 = "not_utf8", None
    NOT_JSON = "not_json", None
    NO_RECORD_ID = "no_record_id", None
    UNEXPECTED_TYPE = "unexpected_type", None
    MISSING = "missing", None
    WRONG_TYPE = "wrong_type", None
    WRONG_UNIT = "wrong_unit", None
    UNKNOWN_CODE = "unknown_code", None
    BAD_FORMAT = "bad_format", None
    OUT_OF_RANGE = "out_of_range", None
    IN_FUTURE = "in_future", None
    TOO_LONG = "too_long", None
    CHECK_FAILED = "check_failed", None
    RULE_BROKEN = "rule_broken", None


class RefuseReason(Term):
    """Why a raw record was not taken in."""

    EVERY_PURPOSE_DENIED = "every_purpose_denied", "ConsentRefused"


class PermitReason(Term):
    """Why a person's rows go on to a use, or are withheld."""

    PERMITTED = "permitted", "ConsentGiven"
    LEGITIMATE_INTEREST = "legitimate_interest", "LegitimateInterest"
    LEGAL_OBLIGATION = "legal_obligation", "LegalObligation"
    DENIED = "denied", "ConsentRefused"
    EXPIRED = "expired", "ConsentExpired"
    NOTHING_KNOWN = "nothing_known", "ConsentUnknown"
    OUTSIDE_WINDOW = "outside_window", None
    NO_IDENTITY = "no_identity", None


class StatementFate(Term):
    """What became of a statement when a use was decided: it counts, or why it does not."""

    COUNTS = "counts", None
    LAPSED = "lapsed", None
    NOT_YET_VALID = "not_yet_valid", None
    SUPERSEDED = "superseded", None
    OUTWEIGHED = "outweighed", None
    OTHER_PURPOSE = "other_purpose", None
    OTHER_RECIPIENT = "other_recipient", None
    OTHER_CATEGORY = "other_category", None
    STAYS_APART = "stays_apart", None
    GIVEN_BY_ANOTHER = "given_by_another", None
    ABOUT_CHANNEL = "about_channel", None
    NOT_KNOWN_YET = "not_known_yet", None
    ONLY_ASKED = "only_asked", None
    TO_COMPANY_ONLY = "to_company_only", None


class GoneReason(Term):
    """Why somebody in a release or an extract does not permit it any more.

    ``identity_changed``: no person has that key any more, or it is now also somebody's who had said no before.
    """

    WITHDRAWAL = "withdrawal", "ConsentWithdrawn"
    CONSENT_LAPSED = "consent_lapsed", "ConsentExpired"
    IDENTITY_CHANGED = "identity_changed", None
    NOT_PERMITTED = "not_permitted", None
    FORGOTTEN = "forgotten", None


class ReversalPurpose(Term):
    """Why the person behind a pseudonym may be told to those who answer for it."""

    SAFETY_FOLLOW_UP = "safety_follow_up", None
    DATA_SUBJECT_REQUEST = "data_subject_request", None
    LEGAL_OBLIGATION = "legal_obligation", "LegalObligation"


class OnChange(Term):
    """What a source's contract does when payloads change their shape.

    ``evolve``: they land and the change is reported. ``freeze``: they land, and conform waits for a higher version of the
    contract where a place that it reads vanished or changed its type. ``reject``: nothing lands, for a new field neither.
    """

    EVOLVE = "evolve", None
    FREEZE = "freeze", None
    REJECT = "reject", None


class DriftKind(Term):
    """How payloads differ from those that landed before."""

    NEW_FIELD = "new_field", None
    CHANGED_TYPE = "changed_type", None
    VANISHED_FIELD = "vanished_field", None


class DriftEffect(Term):
    """What a change of payloads did: nothing, or conform waits, or the landing was refused."""

    REPORTED = "reported", None
    FROZEN = "frozen", None
    REFUSED = "refused", None


class Zone(Term):
    """The folders of the lake."""

    RAW = "raw", None
    CORE = "core", None
    VAULT = "vault", None
    SAFETY = "safety", None
    PRODUCT = "product", None
    LEDGER = "ledger", None
