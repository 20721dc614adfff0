"""Codes of FHIR consents, and the words in which an answer is explained."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONSENT_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
# Where purposes of use are named: the code system, its value set, its object identifier, or nothing.
PURPOSE_SYSTEMS = ("", "http://terminology.hl7.org/CodeSystem/v3-ActReason", "http://hl7.org/fhir/v3/ActReason",
                   "http://terminology.hl7.org/ValueSet/v3-PurposeOfUse", "urn:oid:2.16.840.1.113883.5.8")
OPT_IN, OPT_OUT = ("OPTIN", "OPTINR"), ("OPTOUT", "OPTOUTE")  # v3-ActCode, with restrictions and with exceptions too
# Actors who receive or use data; other roles, such as a custodian, say where the data lies or who wrote it.
RECEIVING_ROLES = ("PRCP", "IRCP", "IRCPT", "RCPT", "RCV")
USING_ACTIONS = ("access", "use", "disclose", "collect")
# v3-ActReason, PurposeOfUse: a refused purpose refuses those below it.
NARROWER = {
    "TREAT": ("CLINTRL", "COC", "ETREAT", "POPHLTH"), "ETREAT": ("BTG", "ERTREAT"),
    "HRESCH": ("BIORCH", "CLINTRCH", "DSRCH", "POARCH", "TRANSRCH"), "CLINTRCH": ("CLINTRCHNPC", "CLINTRCHPC", "PRECLINTRCH"),
    "HPAYMT": ("CLMATTCH", "COVAUTH", "COVERAGE", "REMITADV"), "COVERAGE": ("ELIGDTRM", "ELIGVER", "ENROLLM", "MILDCRG"),
    "HOPERAT": ("CAREMGT", "DONAT", "FRAUD", "GOV", "HACCRED", "HCOMPL", "HDECD", "HDIRECT", "HDM", "HLEGAL", "HOUTCOMS",
                "HPRGRP", "HQUALIMP", "HSYSADMIN", "LABELING", "MEMADMIN", "METAMGT", "MILCDM", "PATADMIN", "PATSFTY",
                "PERFMSR", "RECORDMGT", "SYSDEV", "TRAIN"),
    "PATRQT": ("FAMRQT", "PWATRNY", "SUPNWK"), "PUBHLTH": ("DISASTER", "THREAT")}


class Coding(NamedTuple):
    """A code of a code system; the system is empty where none is named."""

    system: str
    code: str


class Decision(StrEnum):
    """The answers of HL7's CDS Hook patient-consent-consult."""

    PERMIT = "CONSENT_PERMIT"
    DENY = "CONSENT_DENY"
    NONE = "NO_CONSENT"


class Because(StrEnum):
    """Why a consent, or a part of it, counted or did not."""

    BASE_PERMITS = "base_permits"
    BASE_DENIES = "base_denies"
    NO_BASE = "no_base_rule"
    PROVISION_PERMITS = "provision_permits"
    PROVISION_DENIES = "provision_denies"
    PROVISION_REDACTS = "provision_redacts"
    AMBIGUOUS = "exception_without_type"
    NOT_ACTIVE = "not_active"
    NOT_IN_PERIOD = "not_in_period"
    OTHER_PATIENT = "other_patient"
    OTHER_CATEGORY = "other_category"
    OTHER_PURPOSE = "other_purpose"
    OTHER_ACTOR = "other_actor"
    OTHER_CLASS = "other_class"
    OTHER_ACTION = "other_action"
    SUPERSEDED = "superseded"


REDACT = Coding(ACT_CODE, "REDACT")


def narrower(code: str) -> set[str]:
    """A purpose of use and all that lie below it."""
    found = {code}
    for below in NARROWER.get(code, ()):
        found |= narrower(below)
    return found
