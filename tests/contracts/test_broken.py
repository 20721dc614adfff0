"""Broken contracts: what one writes wrong, the line Concord points at, and what it says to write instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.load import ContractError, _catalog, catalog, check_files
from tests.contracts.broken import APP, CRM, GLUCOSE, OBSERVATION, OPTIN, OWN, PARTNER, Case, is_refused

BASIS = "  - {property: legalBasis, value: explicit_consent}\n"
PERSON = "      - {name: source_person_id, transformLogic: identifier(payload.id), required: true}\n"
EMAIL = "      - {name: email, transformLogic: email(payload.email)}"

CASES: dict[str, Case] = {
    "unknown key at the top": (APP, "status: active\n", "status: active\nlegalBasis: consent\n", "legalBasis: consent",
                               ("legalBasis is not a key", "customProperties entry")),
    "misspelt key at the top": (APP, "version: 1.0.0\n", "version: 1.0.0\nstatsu: active\n", "statsu", ("did you mean status?",)),
    "unknown key of a schema": (APP, "  - name: devices\n", "  - name: devices\n    feed: core.identity\n", "feed: core",
                                ("schema.1.feed is not a key", "take it out")),
    "unknown key of a property": (OBSERVATION, "        description: UCUM unit.\n", "        descripton: UCUM unit.\n", "descripton",
                                  ("descripton is not a key", "did you mean description?")),
    "unknown key of a team": (APP, "  name: patient-apps\n", "  name: patient-apps\n  boss: x\n", "boss", ("team.boss is not a key",)),
    "unknown customProperties": (APP, BASIS, BASIS + "  - {property: legalBases, value: consent}\n", "legalBases",
                                 ("legalBases is not known", "did you mean legalBasis?")),
    "customProperties twice": (APP, BASIS, BASIS * 2, "legalBasis", ("'legalBasis' of the contract is there twice; keep one",)),
    "unknown customProperties of a core contract": (OBSERVATION, "  - {property: zone, value: core}\n",
        "  - {property: zone, value: core}\n  - {property: owner, value: me}\n", "owner", ("'owner' is not known here", "only zone")),
    "unknown customProperties of a feed": (APP, "{property: feeds, value: core.consent}", "{property: feed, value: core.consent}",
        "property: feed,", ("'feed' of consents is not known", "did you mean feeds?")),
    "unknown customProperties of a column": (OBSERVATION, "{property: notInFuture, value: true}", "{property: notFuture, value: true}",
        "notFuture", ("did you mean notInFuture?",)),
    "unknown key of a stream": (APP, "        since: updated_since\n", "        sinc: updated_since\n", "sinc:",
                                ("streams.data_points.sinc is not known", "did you mean since?")),
    "unknown option of a type": (OBSERVATION, "{maxLength: 40}", "{maxLenght: 40}", "maxLenght", ("did you mean maxLength?",)),
    "an option that would undo a rule": (OBSERVATION, "{maxLength: 40}", "{required: false}", "{required: false}",
                                         ("'required' of unit_code is not known", "maxLength, maximum, minimum, pattern")),
    "no purpose of the contract": (APP, "  purpose: Doses", "  usage: Doses", "description", ("description.purpose is missing",
                                   "say in one sentence")),
    "no owner": (CRM, "team:\n  name: customer-care\n", "", "apiVersion", ("team.name is missing", "name the team that owns")),
    "no legal basis": (APP, BASIS, "", "apiVersion", ("legalBasis is missing; it has no default", "{property: legalBasis, value: ...}",
                       "one of consent, explicit_consent, legitimate_interest, legal_obligation")),
    "no retention": (APP, "  - {property: retentionDays, value: 3650}\n", "", "apiVersion", ("retentionDays is missing",)),
    "no purposes": (GLUCOSE, "  - {property: purposes, value: [adherence_monitoring, decision_support]}\n", "", "apiVersion",
                    ("purposes is missing", "one of brand_communication, patient_education")),
    "empty purposes": (GLUCOSE, "[adherence_monitoring, decision_support]", "[]", "purposes", ("purposes is empty", "name at least one of")),
    "no pseudonym domain": (GLUCOSE, "  - {property: pseudonymDomain, value: engagement}\n", "", "apiVersion", ("pseudonymDomain is missing",)),
    "no data categories": (GLUCOSE, "  - {property: dataCategories, value: [health]}\n", "", "apiVersion", ("dataCategories is missing",
                           "one of identifying, contact")),
    "no dataCategory of a column": (OBSERVATION, "          - {property: dataCategory, value: identifying}\n", "", "name: device_id",
                                    ("column device_id of core.observation has no dataCategory", "one of identifying, contact")),
    "no treatment of a product column": (OPTIN, "          - {property: treatment, value: keep}\n", "", "name: channel_code",
                                         ("column channel_code has no treatment", "write one of keep, pseudonym, date_shift, year, age_band, area, band, mask, scrub, aggregate")),
    "no treatment in an extract": (PARTNER, "          - {property: treatment, value: keep}\n", "", "name: observed_on",
                                   ("column observed_on has no treatment",)),
    "unknown legal basis": (APP, BASIS, BASIS.replace("explicit_consent", "consnt"), "consnt", ("legalBasis: Input should be 'consent'",
                            "not 'consnt'")),
    "unknown purpose": (GLUCOSE, "[adherence_monitoring, decision_support]", "[adherence_monitoring, decisions]", "decisions",
                        ("purposes.1: Input should be 'brand_communication'", "not 'decisions'")),
    "unknown category": (OBSERVATION, "{property: dataCategory, value: identifying}", "{property: dataCategory, value: identfying}",
                         "identfying", ("column device_id of core.observation: dataCategory: Input should be 'identifying'",)),
    "unknown treatment": (OPTIN, "{property: treatment, value: keep}", "{property: treatment, value: hash}", "value: hash",
                          ("treatment: Input should be 'keep', 'drop', 'pseudonym'", "not 'hash'")),
    "unknown vocabulary": ("core/message.yaml", "value: channel}", "value: chanel}", "chanel", ("vocabulary 'chanel'", "did you mean channel?")),
    "unknown column type": (OBSERVATION, "physicalType: double", "physicalType: float", "physicalType: float",
                            ("physicalType: Input should be 'string', 'double'", "not 'float'")),
    "unknown connector": (CRM, "connector: salesforce", "connector: salesforse", "salesforse", ("connection.connector: Input should be",)),
    "misspelt function": (APP, "email(payload.email)", "emial(payload.email)", "emial", ("unknown function 'emial'", "did you mean email?")),
    "too many arguments": (APP, "text(payload.city)", "'text(payload.city, payload.town)'", "payload.town",
                           ("text in 'text(payload.city, payload.town)' takes 1 arguments, not 2",)),
    "too few arguments": (APP, '"phone(payload.phone, payload.country)"', "phone(payload.phone)", "phone(payload.phone)",
                          ("takes 2 arguments, not 1",)),
    "odd pairs": (APP, "'mmol/L', 'mmol/L')", "'mmol/L')", "'mg/dL', 'mg/dL', 'mmol/L')", ("code in", "takes pairs after its path")),
    "no path": (APP, "text(payload.city)", "text(city)", "text(city)", ("'city' in 'text(city)' is not allowed", "use payload paths")),
    "an empty path": (APP, "text(payload.city)", "text(payload)", "text(payload)", ("takes a path first", "text(payload.id)")),
    "a literal for a path": (APP, "text(payload.city)", "text('city')", "text('city')", ("takes a path first",)),
    "code to be run": (APP, "text(payload.city)", "__import__('os').system('x')", "__import__", ("is not allowed",)),
    "no call": (APP, "text(payload.city)", "payload.city", "transformLogic: payload.city", ("names no function", "text(payload.city)")),
    "no expression": (APP, "text(payload.city)", "text(payload.", "text(payload.}", ("is not an expression", "text(payload.id)")),
    "recordId that is no path": (APP, "recordId: payload.header.id", "recordId: text(payload.header.id)", "recordId: text(",
                                 ("streams.data_points.recordId: 'text(payload.header.id)' is not a path", "payload.header.id")),
    "feed of an undeclared table": (APP, "{property: feeds, value: core.observation}", "{property: feeds, value: core.observations}",
        "core.observations", ("feeds 'core.observations', which no contract declares", "did you mean core.observation?")),
    "feed without a table": (APP, "      - {property: feeds, value: core.observation}\n", "", "name: blood_glucose",
                             ("blood_glucose feeds None", "name a core table, for example core.observation")),
    "feed of an undeclared column": (APP, EMAIL, EMAIL.replace("name: email", "name: mail"), "name: mail",
                                     ("users.mail is no column of core.identity", "did you mean email?")),
    "feed of an undeclared stream": (APP, "{property: stream, value: users}", "{property: stream, value: user}", "- name: users",
                                     ("feed users names stream 'user'", "did you mean users?")),
    "feed without a required column": (APP, "      - {name: status_code, transformLogic: const('taken')}\n", "", "name: dose_taken",
                                       ("dose_taken fills no status_code, which core.medication_event requires", "write for example {name:")),
    "stream that feeds nothing": (APP, "{property: stream, value: devices}", "{property: stream, value: users}", "devices",
                                  ("stream devices feeds nothing", "add a schema entry for it")),
    "column mapped twice": (APP, EMAIL, EMAIL + "\n" + EMAIL, "name: email,", ("users.email is mapped twice", "first(...)")),
    "mapping without an expression": (APP, EMAIL, "      - {name: email}", "{name: email}", ("users.email has no transformLogic",
                                      "text(payload.email)")),
    "no streams": (CRM, "  - property: streams\n", "  - property: strems\n", "customProperties", ("streams is missing",)),
    "column twice": (OBSERVATION, "      - name: unit_code\n", "      - name: code\n", "name: observation",
                     ("declares code twice; keep one",)),
    "column that is included already": (OBSERVATION, "      - name: unit_code\n", "      - name: record_id\n", "name: observation",
                                        ("declares record_id twice",)),
    "includes an undeclared table": (OBSERVATION, "value: core.record}", "value: core.recrod}", "core.recrod", ("did you mean core.record?",)),
    "unquoted comma": (APP, "text(payload.city)", "code(payload.city, a='b')", "payload.city, a=", ("quote the expression, it holds a comma",)),
    "no key": (OBSERVATION, "      - {property: includes, value: core.record}\n", "      - {property: zone, value: core}\n",
               "name: observation", ("has no key", "primaryKey: true")),
    "key not required": (GLUCOSE, "        required: true\n        primaryKey: true\n        primaryKeyPosition: 2",
                         "        primaryKey: true\n        primaryKeyPosition: 2", "glucose_daily",
                         ("key columns observed_on of product.glucose_daily must be required: true",)),
    "broken pattern": (OBSERVATION, "'^[0-9]{1,7}-[0-9]$'", "'^[0-9'", "'^[0-9'", ("column code of core.observation: pattern",)),
    "legitimate interest without a minimum cell": (OPTIN, "{property: minimumCell, value: 7}", "{property: minimumCell, value: null}",
        "legalBasis", ("only for aggregates", "give minimumCell and basisReason")),
    "legitimate interest without a reason": (OPTIN, "{property: basisReason,", "{property: basisReason, value: null}\n  - {property: x,",
        "property: x", ("x is not known",)),
    "legitimate interest with an empty reason": (OPTIN, "The company must know how many people said yes and no to show that it acts "
        "lawfully; only counts above the minimum cell leave.", "", "legalBasis",
        ("give minimumCell and basisReason",)),
    "legitimate interest for rows about persons": (GLUCOSE, "value: explicit_consent}", "value: legitimate_interest}", "legalBasis",
        ("only for aggregates", "or rest the product on consent")),
    "minimum cell of one": (OPTIN, "{property: minimumCell, value: 7}", "{property: minimumCell, value: 1}", "minimumCell",
                            ("minimumCell: Input should be greater than or equal to 2, not 1",)),
    "aggregate that counts nobody": (OPTIN, "{property: countsPeople, value: asked}", "{property: countsPeople, value: null}",
                                     "minimumCell", ("minimumCell or countsPeople is null", "for example 7")),
    "cell column that is none": (OPTIN, "value: [asked, opted_in, withdrawn]", "value: [asked, opted]", "cellColumns",
                                 ("cellColumns names opted, which is no column",)),
    "identifying column in a product": (GLUCOSE, "{property: dataCategory, value: pseudonymous}", "{property: dataCategory, value: identifying}",
        "name: person_id", ("column person_id is identifying: it may not leave core; drop it",)),
    "contact column in an extract": (PARTNER, "{property: dataCategory, value: pseudonymous}", "{property: dataCategory, value: contact}",
        "name: person_id", ("column person_id is contact: it may not leave core",)),
    "undeclared input": (GLUCOSE, "[core.observation]", "[core.obsrvation]", "core.obsrvation", ("did you mean core.observation?",)),
    "extract under legitimate interest": (PARTNER, "value: explicit_consent}", "value: legitimate_interest}", "legalBasis",
                                          ("legalBasis of an extract must be consent or explicit_consent",)),
    "extract nobody approves": (PARTNER, "value: [officer]", "value: []", "approvers", ("approvers is empty", "governance officer")),
    "no word on who may be linked": (PARTNER, "  - {property: maxLinkedPercent, value: 5}\n", "", "apiVersion",
                                     ("maxLinkedPercent is missing; it has no default",)),
    "more linked than there are": (PARTNER, "maxLinkedPercent, value: 5", "maxLinkedPercent, value: 101", "maxLinkedPercent",
                                   ("maxLinkedPercent: Input should be less than or equal to 100",)),
    "schema called otherwise": (GLUCOSE, "  - name: glucose_daily", "  - name: glucose", "schema", ("one object, called glucose_daily",)),
    "id is not the file's name": (APP, "id: adherence_app", "id: adherence", "id: adherence", ("the file is called adherence_app.yaml",)),
    "core id is not the file's name": (OBSERVATION, "id: observation", "id: reading", "id: reading", ("is called observation.yaml",)),
    "wrong apiVersion": (APP, "v3.1.0", "v3.0.2", "v3.0.2", ("apiVersion is 'v3.0.2'; write apiVersion: v3.1.0",)),
    "wrong kind": (APP, "kind: DataContract", "kind: Contract", "kind: Contract", ("write kind: DataContract",)),
    "wrong version": (APP, "version: 1.0.0", "version: one", "version: one", ("version: String should match pattern",)),
    "wrong type by the standard's schema": (APP, "tags: [patient-app]", "tags: patient-app", "tags: patient-app", ("tags",)),
    "not YAML": (APP, "kind: DataContract", "kind: [DataContract", "id:", ("is not YAML", "quotes and indentation")),
    "a key twice": (APP, "status: active\n", "status: active\nstatus: retired\n", "status: retired", ("'status' is there twice",)),
    "a stream twice": (APP, "      devices: {path", "      users: {path", "users: {path: /app/v1/devices", ("'users' is there twice",)),
}


@pytest.mark.parametrize("name", CASES)
def test_is_refused_with_its_line_and_what_to_write(name: str, tmp_path: Path) -> None:
    is_refused(CASES[name], tmp_path)


def test_a_file_that_is_no_mapping_not_utf8_or_not_there(tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    for content, said in ((b"", ":1: is not a mapping; a contract begins with apiVersion"), (b"- a\n", ":1: is not a mapping"),
                          (b"a: 1\nb: \xff\n", ":2: is not UTF-8; save the file as UTF-8")):
        (folder / "x.yaml").write_bytes(content)
        with pytest.raises(ContractError, match=re.escape(said)):
            check_files([folder / "x.yaml"])
    with pytest.raises(ContractError, match=r"none\.yaml:1: cannot be read .No such file"):
        check_files([folder / "none.yaml"])


def copied(folder: Path, base: str, *swaps: tuple[str, str], name: str = "") -> Path:
    """A copy of one of Concord's contracts in a folder of its own kind."""
    text = (OWN / base).read_text("utf-8")
    for there, instead in swaps:
        assert there in text
        text = text.replace(there, instead)
    path = folder / Path(base).parent / (name or Path(base).name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(("base", "swaps", "name", "said"), [
    (APP, (), "", "id 'adherence_app' is taken by"),
    (APP, (), "adherence_app.yml", "contracts end in .yaml; rename it to adherence_app.yaml"),
    (OBSERVATION, (), "", "table core.observation is declared by"),
    (PARTNER, (("id: glycemia", "id: glycaemia"), ("name: glycemia_institute", "name: glycaemia_institute"),
               ("value: glucose_daily", "value: glucose_dayly")), "glycaemia_institute.yaml", "did you mean glucose_daily?"),
    (PARTNER, (("id: glycemia", "id: glycaemia"), ("name: glycemia_institute", "name: glycaemia_institute"),
               ("name: time_in_range", "name: time_in_rage"), ("{time_in_range", "{time_in_rage")), "glycaemia_institute.yaml",
     "time_in_rage_percent is no column of product glucose_daily (did you mean time_in_range_percent?)"),
    (PARTNER, (("id: glycemia", "id: glycaemia"), ("name: glycemia_institute", "name: glycaemia_institute")), "glycaemia_institute.yaml",
     "pseudonymDomain glycemia_institute is that of recipient glycemia_institute"),
    (PARTNER, (("id: glycemia", "id: glycaemia"), ("name: glycemia_institute", "name: glycaemia_institute"),
               ("pseudonymDomain, value: glycemia_institute", "pseudonymDomain, value: engagement")), "glycaemia_institute.yaml",
     "pseudonymDomain engagement is that of product glucose_daily"),
    (PARTNER, (("id: glycemia", "id: glycaemia"), ("name: glycemia_institute", "name: glycaemia_institute"),
               ("dataCategory, value: health", "dataCategory, value: technical"), ("explicit_consent", "consent")),
     "glycaemia_institute.yaml", "legalBasis consent is not enough for health data"),
    (GLUCOSE, (("id: glucose_daily", "id: glucose_weekly"), ("name: glucose_daily", "name: glucose_weekly"),
               ("[core.observation]", "[vault.link]")), "glucose_weekly.yaml", "inputs names vault.link; only core tables are inputs"),
])
def test_what_only_all_contracts_together_show(base: str, swaps: tuple[tuple[str, str], ...], name: str, said: str, tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    path = copied(tmp_path, base, *swaps, name=name)
    monkeypatch.setenv("CONCORD_CONTRACTS", str(tmp_path))
    with pytest.raises(ContractError, match=re.escape(said)) as caught:
        catalog()
    assert re.match(rf"{re.escape(str(path))}:\d+: ", str(caught.value)), str(caught.value)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONCORD_CONTRACTS", str(tmp_path / "mine"))
    with pytest.raises(ContractError, match="is no folder; CONCORD_CONTRACTS names folders"):
        catalog()


def test_a_contract_elsewhere_says_where_contracts_lie(tmp_path: Path) -> None:
    path = tmp_path / "drafts" / "x.yaml"
    with pytest.raises(ContractError, match="lies in a folder called drafts; a contract lies in one called core, sources"):
        check_files([path])


def test_an_extract_is_checked_with_its_product_beside_it(tmp_path: Path) -> None:
    product = copied(tmp_path, GLUCOSE, ("glucose_daily", "glucose_weekly"), ("value: engagement}", "value: weekly}"), name="glucose_weekly.yaml")
    extract = copied(tmp_path, PARTNER, ("glycemia_institute", "other_institute"), ("glucose_daily", "glucose_weekly"), name="other_institute.yaml")
    assert check_files([extract, product]) == 2
    with pytest.raises(ContractError, match="did you mean glucose_daily"):
        check_files([extract])


def test_a_sound_contract_of_ones_own_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = copied(tmp_path, CRM, ("id: crm", "id: other_crm"), name="other_crm.yaml")
    before = check_files([])
    assert check_files([path]) == 1
    monkeypatch.setenv("CONCORD_CONTRACTS", str(tmp_path))
    _catalog.cache_clear()
    assert check_files([]) == before + 1
    assert {"raw.other_crm", "raw.other_crm__rejected"} <= catalog().tables.keys()
