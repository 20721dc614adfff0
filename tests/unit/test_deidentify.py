"""De-identification of FHIR resources: every identifier of the safe harbor has a place where a canary sits and does not leave."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from contracts.deidentification import Profile, profile
from contracts.load import ContractError, folders
from contracts.treatments import Area
from jobs.fhir.deidentify import Deidentifier, Refused, area, refuse_unknown
from jobs.stages import treat

ON = date(2026, 11, 30)
CANARY = "Kanarienvogel"
LOINC, AGE = "http://loinc.org", "30525-0"
Json = dict[str, Any]


def patient(**more: Any) -> Json:
    return {"resourceType": "Patient", "id": "p1", "gender": "female", **more}


def device(**more: Any) -> Json:
    return {"resourceType": "Device", "id": "d1", "status": "active", **more}


def observation(**more: Any) -> Json:
    return {"resourceType": "Observation", "id": "o1", "status": "final", "code": {"coding": [{"system": LOINC, "code": "2339-0"}]}, **more}


def identifier(kind: str, value: str = CANARY) -> list[Json]:
    return [{"type": {"coding": [{"code": kind}]}, "system": f"urn:{kind}", "value": value}]


# Each identifier of 45 CFR 164.514(b)(2)(i), (A) to (R), in the places where FHIR has it.
IDENTIFIERS: dict[str, list[Json]] = {
    "names": [patient(name=[{"family": CANARY, "given": [CANARY], "text": CANARY}]), patient(contact=[{"name": {"text": CANARY}}]),
              observation(subject={"reference": "Patient/p1", "display": CANARY}), patient(text={"status": "generated", "div": f"<div>{CANARY}</div>"}),
              observation(note=[{"text": CANARY, "authorString": CANARY}]), observation(valueString=CANARY)],
    "geography": [patient(address=[{"line": [CANARY], "city": CANARY, "district": CANARY, "text": CANARY, "postalCode": f"{CANARY}02139", "state": "MA"}]),
                  {"resourceType": "Location", "id": "l", "name": CANARY, "description": CANARY, "position": {"latitude": 42.360099, "longitude": -71.1}}],
    "dates": [patient(birthDate="1974-12-25", deceasedDateTime="2020-03-04T05:06:07Z"), observation(effectivePeriod={"start": "2021-02-03", "end": "2021-02"}),
              observation(issued="2021-02-03T01:02:03Z", effectiveInstant="2021-02-03T01:02:03Z"), observation(valueTime="05:06:07")],
    "telephone_numbers": [patient(telecom=[{"system": "phone", "value": CANARY}])],
    "fax_numbers": [patient(contact=[{"telecom": [{"system": "fax", "value": CANARY}]}])],
    "email_addresses": [{"resourceType": "Practitioner", "id": "x", "telecom": [{"system": "email", "value": CANARY}]}],
    "social_security_numbers": [patient(identifier=identifier("SS"))],
    "medical_record_numbers": [patient(identifier=identifier("MR")), observation(subject={"identifier": identifier("MR")[0]})],
    "health_plan_beneficiary_numbers": [{"resourceType": "Coverage", "id": "c", "status": "active", "subscriberId": CANARY, "dependent": CANARY, "payor": [],
                                         "identifier": identifier("MB")}],
    "account_numbers": [{"resourceType": "Account", "id": CANARY, "status": "active", "name": CANARY, "identifier": identifier("AN")}],
    "certificate_or_license_numbers": [{"resourceType": "Practitioner", "id": "x", "qualification": [{"identifier": identifier("MD"), "code": {"text": CANARY}}]}],
    "vehicle_identifiers": [patient(identifier=identifier("VIN")), patient(extension=[{"url": "urn:plate", "valueString": CANARY}])],
    "device_identifiers": [device(serialNumber=CANARY, lotNumber=CANARY, distinctIdentifier=CANARY, deviceName=[{"name": CANARY, "type": "model-name"}],
                                  udiCarrier=[{"deviceIdentifier": CANARY, "carrierHRF": CANARY}])],
    "web_urls": [device(url=f"https://{CANARY}.example"), patient(link=[{"type": "seealso", "other": {"reference": f"https://{CANARY}.example/fhir/Patient/1"}}]),
                 {"resourceType": "Bundle", "type": "collection", "link": [{"relation": CANARY, "url": f"https://{CANARY}"}],
                  "entry": [{"fullUrl": f"https://{CANARY}/Patient/p1", "resource": patient()}]}],
    "ip_addresses": [{"resourceType": "AuditEvent", "id": "a", "type": {"code": "rest"}, "recorded": "2021-02-03T01:02:03Z", "source": {"observer": {}},
                      "agent": [{"requestor": True, "network": {"address": CANARY, "type": "2"}}]}],
    "biometric_identifiers": [observation(valueSampledData={"origin": {"value": 0}, "period": 1, "dimensions": 1, "data": CANARY})],
    "face_photographs": [patient(photo=[{"contentType": "image/png", "data": CANARY, "title": CANARY, "url": CANARY}])],
    "other_unique_identifiers": [patient(id=CANARY, meta={"versionId": CANARY, "source": CANARY, "lastUpdated": "2021-02-03T01:02:03Z"}),
                                 observation(subject={"reference": f"Patient/{CANARY}"}), patient(madeUp=CANARY, birthDate={"nested": CANARY})]}
HIDDEN = (CANARY, CANARY.lower(), "02139", "42.36", "12-25", "03-04", "05:06", "02-03", "2021-02")


@pytest.fixture(scope="module")
def harbor() -> Profile:
    return profile("hipaa_safe_harbor", folders())


@pytest.fixture
def treating(harbor: Profile) -> Deidentifier:
    return Deidentifier(harbor, bytes(range(32)), ON)


def test_every_identifier_of_the_rule_is_there(harbor: Profile) -> None:
    assert list(harbor.identifiers) == list(IDENTIFIERS) and len(IDENTIFIERS) == 18


@pytest.mark.parametrize("name", IDENTIFIERS)
def test_what_identifies_does_not_leave(treating: Deidentifier, name: str) -> None:
    for resource in IDENTIFIERS[name]:
        left = treating.resource(resource)
        assert not [hidden for hidden in HIDDEN if hidden in str(left)], left
        assert left["resourceType"] == resource["resourceType"]


def test_what_tells_of_nobody_stays(treating: Deidentifier) -> None:
    said = observation(category=[{"coding": [{"system": "urn:c", "code": "vital-signs", "display": "Vitals"}], "text": "Vitals"}],
                       valueQuantity={"value": 6.10, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
                       effectiveDateTime="2021-02-03T04:05:06+01:00", interpretation=[{"coding": [{"code": "H"}]}])
    left = treating.resource(said)
    assert left == {**observation(), "id": left["id"], "category": [{"coding": [{"system": "urn:c", "code": "vital-signs"}]}],
                    "valueQuantity": said["valueQuantity"], "effectiveDateTime": "2021", "interpretation": said["interpretation"]}
    assert treating.counts == {"keep": 10, "pseudonym": 1, "year": 1, "drop": 2}


def test_references_lead_where_they_led(treating: Deidentifier) -> None:
    person = treating.resource(patient())["id"]
    for said, expected in (("Patient/p1", f"Patient/{person}"), ("https://ehr.example/fhir/Patient/p1/_history/2", f"Patient/{person}"), ("#p1", f"#{person}")):
        assert treating.resource(observation(subject={"reference": said}))["subject"] == {"reference": expected}
    own = "0c3b5b6e-0c5a-4b8e-9a3e-0123456789ab"
    bundle = treating.resource({"resourceType": "Bundle", "type": "batch", "entry": [
        {"fullUrl": f"urn:uuid:{own}", "resource": patient(id=own)}, {"resource": observation(subject={"reference": f"urn:uuid:{own}"})}]})
    first, second = bundle["entry"]
    assert first["fullUrl"] == second["resource"]["subject"]["reference"] != f"urn:uuid:{own}"
    assert first["fullUrl"].removeprefix("urn:uuid:").replace("-", "") == first["resource"]["id"]
    assert "subject" not in treating.resource(observation(subject={"reference": f"Patient?identifier={CANARY}"}))


def test_another_key_gives_other_ids(harbor: Profile, treating: Deidentifier) -> None:
    other = Deidentifier(harbor, bytes(range(1, 33)), ON)
    assert treating.resource(patient())["id"] == treating.resource(patient())["id"] != other.resource(patient())["id"]


@pytest.mark.parametrize(("born", "left"), [("1937-01-01", "1937"), ("1936-12-31", None), ("1936", None), ("2026-11", "2026"), ("19370101", None),
                                            ("", None), (1980, None), ("1980-00-00x", None), ("1980-03-04T01:02:03+01:00", "1980")])
def test_no_year_tells_of_an_age_above_89(treating: Deidentifier, born: Any, left: str | None) -> None:
    assert treating.resource(patient(birthDate=born)).get("birthDate") == left


AGES: list[tuple[Json, Json | None]] = [
    ({"value": 89, "unit": "a", "code": "a"}, {"value": 89, "unit": "a", "code": "a"}), ({"value": 89.9, "code": "a"}, {"value": 89.9, "code": "a"}),
    *[(said, {"value": 90, "comparator": ">=", "unit": "a", "system": "http://unitsofmeasure.org", "code": "a"}) for said in (
        {"value": 90, "code": "a"}, {"value": 101, "unit": "years"}, {"value": 1090, "code": "mo"}, {"value": 104, "extension": [{"url": CANARY}]})],
    ({"value": 95, "unit": "summers"}, None), ({"value": "95", "code": "a"}, None), ({"value": 14, "unit": "d"}, {"value": 14, "unit": "d"})]


@pytest.mark.parametrize(("said", "left"), AGES)
def test_ages_above_89_are_one(treating: Deidentifier, said: Json, left: Json | None) -> None:
    condition = {"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p1"}, "onsetAge": said}
    assert treating.resource(condition).get("onsetAge") == left
    by_code = {"code": {"coding": [{"system": LOINC, "code": AGE}]}, "valueQuantity": said}
    assert treating.resource(observation(**by_code)).get("valueQuantity") == left
    part = treating.resource(observation(component=[by_code]))["component"][0]
    assert part.get("valueQuantity") == left
    assert treating.resource(observation(valueQuantity={"value": 300}))["valueQuantity"] == {"value": 300}, "that is no age"


def test_whole_numbers_of_years_and_ranges_of_ages(treating: Deidentifier) -> None:
    age = {"code": {"coding": [{"code": AGE}]}}
    assert treating.resource(observation(**age, valueInteger=97))["valueInteger"] == 90
    assert treating.resource(observation(**age, valueInteger=17))["valueInteger"] == 17
    assert "valueRange" not in treating.resource(observation(**age, valueRange={"low": {"value": 91}}))


def answer(**more: Any) -> Json:
    return {"resourceType": "QuestionnaireResponse", "id": "q", "status": "completed", "item": [{"linkId": "1", "answer": [more]}]}


YEARS_97 = {"value": 97, "unit": "years"}
# What an attacker wrote where something else belongs, or where the rule for ages did not look.
ATTACKS: dict[str, tuple[Json, tuple[str, ...]]] = {
    "text for a boolean": (patient(active="Jane Doe", multipleBirthInteger="born 1923"), ("Jane", "1923")),
    "text for a number": (observation(valueInteger="SSN 078-05-1120", valueQuantity={"value": "7 Elm St"}), ("SSN", "Elm")),
    "a number for a boolean": (patient(active=6175550134), ("6175550134",)), "a boolean for a number": (patient(multipleBirthInteger=True), ("True",)),
    "a number no integer of FHIR": (observation(valueInteger=6175550134), ("6175550134",)),
    "text for a bound code": (patient(gender="Jane"), ("Jane",)), "blanks in a code": (patient(language="Jane Doe"), ("Jane",)),
    "text for a code of a log": ({"resourceType": "AuditEvent", "action": "jane.doe", "agent": [{"network": {"type": "10.0.0.1"}}]}, ("jane", "10.0")),
    "text for a unit": (observation(valueQuantity={"value": 1, "unit": "mg by nurse Joy"}), ("Joy",)),
    "text for a state": (patient(address=[{"state": "12 Elm Street, Springfield", "country": "Elm Street"}]), ("Elm",)),
    "a system that is a page": (observation(category=[{"coding": [{"system": "https://x.org/u?ssn=078051120", "version": "2021-02-03"}]}]), ("ssn", "2021-02")),
    "a system that is none": (observation(category=[{"coding": [{"system": "Jane Doe"}]}]), ("Jane",)),
    "a type of reference": (observation(subject={"reference": "Smith/1", "type": "Jane"}, performer=[{"reference": "https://x/JaneDoe/1923"}]), ("Smith", "Jane", "1923")),
    "an id with a type": (patient(id="JaneDoe/7"), ("Jane",)), "numbers in answers": (answer(valueInteger=2139), ("2139",)),
    "a place in answers": (answer(valueDecimal=42.360099), ("42.36",)),
    "an age by another code": (observation(code={"coding": [{"code": "424144002"}]}, valueQuantity={"value": 97, "code": "a"}), ("97",)),
    "an age by no code": (observation(code={"text": "Age"}, valueQuantity=YEARS_97), ("97",)), "an age in an answer": (answer(valueQuantity=YEARS_97), ("97",)),
    "an age in a range": ({"resourceType": "FamilyMemberHistory", "id": "f", "status": "completed", "condition": [
        {"code": {}, "onsetRange": {"low": {"value": 97}}}]}, ("97",)),
    "an age as a ratio": (observation(code={"coding": [{"code": AGE}]}, valueRatio={"numerator": {"value": 97}}), ("97",)),
    "an age as a list": (observation(code={"coding": [{"code": AGE}]}, valueInteger=[97]), ("97",)),
    "a code as an object": (observation(code={"coding": {"code": AGE}}, valueQuantity=[{"value": 97, "code": "a"}]), ("97",)),
    "a goal's age": ({"resourceType": "Goal", "id": "g", "lifecycleStatus": "active", "description": {}, "subject": {}, "target": [
        {"measure": {"coding": [{"code": AGE}]}, "detailInteger": 97}]}, ("97",)),
    "a code that says less than its unit": (observation(valueQuantity={"value": 97, "unit": "years", "code": "min"}), ("97",)),
    "an age that is no whole number": (observation(code={"coding": [{"code": AGE}]}, valueInteger=97.0), ("97",)),
    "a year of birth": (observation(code={"coding": [{"code": "80904-6"}]}, valueInteger=1923), ("1923",))}


@pytest.mark.parametrize("name", ATTACKS)
def test_what_an_attacker_tried_does_not_leave(treating: Deidentifier, name: str) -> None:
    resource, hidden = ATTACKS[name]
    left = {key: value for key, value in treating.resource(resource).items() if key != "id"}
    assert not [text for text in hidden if text in str(left)], left


def test_amperes_are_no_years_and_a_young_year_of_birth_stays(treating: Deidentifier) -> None:
    current = {"value": 100, "unit": "A", "code": "A", "system": "http://unitsofmeasure.org"}
    assert treating.resource(observation(valueQuantity={**current, "unit": "ampere"}))["valueQuantity"]["value"] == 100
    assert treating.resource(observation(code={"coding": [{"code": "80904-6"}]}, valueInteger=1960))["valueInteger"] == 1960


@pytest.mark.parametrize("said", [
    observation(code={"coding": 5}), observation(code={"coding": [5, {"code": 5}]}), observation(code=[{}]),
    observation(valueQuantity={"value": Decimal("9E+9999999999"), "code": "a"}), observation(valueQuantity={"value": Decimal("1E-99999"), "code": "s"})])
def test_odd_values_stop_nothing(treating: Deidentifier, said: Json) -> None:
    assert treating.resource(said)["resourceType"] == "Observation"


@pytest.mark.parametrize(("change", "said"), [
    ({"elements": {"Condition.onsetRang": "drop"}}, r"FHIR has no such element \(did you mean onsetRange\?\)"),
    ({"elements": {"Kondition.onset": "drop"}}, "FHIR has no type Kondition"), ({"types": {"HumanNam": "drop"}}, "fhir.types HumanNam: FHIR has no such type"),
    ({"resources": {"HumanName": "reject"}}, "FHIR has no such resource")])
def test_a_profile_that_names_what_fhir_does_not_have_is_refused(harbor: Profile, change: Json, said: str) -> None:
    refuse_unknown(harbor)
    with pytest.raises(ContractError, match=said):
        refuse_unknown(harbor.model_copy(update={"fhir": harbor.fhir.model_copy(update={**change, "forms": {}})}))


DEEP: Json = {"resourceType": "Parameters", "parameter": []}
for _ in range(80):
    DEEP = {"resourceType": "Parameters", "parameter": [{"name": "x", "part": [{"name": "y", "resource": DEEP}]}]}


@pytest.mark.parametrize(("said", "reason"), [
    (None, "no_resource"), ([], "no_resource"), ("Patient", "no_resource"), ({}, "no_resource"), ({"resourceType": 7}, "no_resource"),
    ({"resourceType": "Nothing"}, "unknown_type"), ({"resourceType": "HumanName", "text": CANARY}, "unknown_type"),
    ({"resourceType": "../patient"}, "unknown_type"), ({"resourceType": "Binary", "data": CANARY}, "rejected_type"),
    ({"resourceType": "DocumentReference"}, "rejected_type")])
def test_what_is_no_resource_or_may_not_leave_is_refused(treating: Deidentifier, said: Any, reason: str) -> None:
    with pytest.raises(Refused, match=f"^{reason}$"):
        treating.resource(said)


def test_what_is_nested_without_end_is_not_followed(treating: Deidentifier) -> None:
    assert len(str(treating.resource(DEEP))) < 10_000 and treating.counts["reject"] == 1


def test_a_refused_resource_in_another_is_left_out_of_it(treating: Deidentifier) -> None:
    left = treating.resource(patient(contained=[{"resourceType": "Binary", "id": "b", "data": CANARY}, patient(id="c")]))
    assert [r["resourceType"] for r in left["contained"]] == ["Patient"] and treating.counts["reject"] == 1


@pytest.mark.parametrize("shape", [[["x"]], {"x": 1}, [{"x": 1}], [None], None])
def test_values_of_another_shape_are_dropped(treating: Deidentifier, shape: Any) -> None:
    for name in ("gender", "birthDate", "id", "name", "maritalStatus"):
        left = treating.resource({**patient(), name: shape})
        assert "x" not in str(left.get(name, "")), left


CODES = ["02139", "02139-4307", " 02139 ", "03601", "2139", "", "SW1A", "80331", "021394307", "02139\n", "０２１３９"]


@pytest.mark.parametrize("scheme", ["us_zip3", "postcode2"])
def test_an_area_is_that_of_a_product_s_column(spark: SparkSession, scheme: Any, harbor: Profile) -> None:
    rows = spark.createDataFrame([(i, code) for i, code in enumerate(CODES)], "at int, code string")
    made = rows.select("at", treat.area(F.col("code"), Area(scheme=scheme)).alias("area")).orderBy("at").collect()
    assert [row["area"] for row in made] == [area(code, scheme) for code in CODES]


def test_a_text_is_scrubbed_where_a_profile_says_so() -> None:
    safe_harbor = profile("hipaa_safe_harbor", folders())
    fhir = safe_harbor.fhir.model_copy(update={"elements": {
        **safe_harbor.fhir.elements, "Observation.note": "keep", "Annotation.text": "scrub"}})
    treating = Deidentifier(safe_harbor.model_copy(update={"fhir": fhir}), b"k" * 32, date(2026, 11, 30))
    notes = [{"text": "My name is Anna Weber, call me."}, {"text": "Mijn pomp is kapot en niemand belt mij terug."}]
    left = treating.resource({"resourceType": "Observation", "status": "final", "note": notes})
    assert left["note"] == [{"text": "My name is [NAME_1], call me."}]
    assert treating.counts["scrub"] == 1
