"""Texts of a third party's generator, presidio-evaluator 0.3.2 (MIT), as JSON lines with spans; pinned by version and seed.

It runs in an environment of its own, as it needs another pandas than we do (`uv run --no-project --with presidio-evaluator==0.3.2
python tests/bench/generated_texts.py texts.jsonl`). English texts are the generator's own templates. It has none in other
languages, so those are ours, filled by it. Names are of Fake Name Generator (CC BY-SA 3.0 US), which is in the generator and
in no list of ours; numbers, streets and mailboxes are Faker's of the language. What it makes is not kept here, because of that licence.
"""

from __future__ import annotations

import contextlib
import json
import random
import sys
from pathlib import Path
from typing import Any

SEED, EACH = 20_261_130, 400
OPTIONAL = "PLACE"  # Tells less than who: it may go or stay, and counts neither as found nor as a word that was lost.
KINDS = {"PERSON": "NAME", "STREET_ADDRESS": "ADDRESS", "PHONE_NUMBER": "PHONE", "EMAIL_ADDRESS": "EMAIL", "IBAN_CODE": "IBAN",
         "CREDIT_CARD": "ID", "US_SSN": "ID", "IP_ADDRESS": "ID", "US_DRIVER_LICENSE": "ID", "DOMAIN_NAME": "URL", "DATE": "DATE"}
LOCALES = {"en": "en_US", "de": "de_DE", "fr": "fr_FR", "it": "it_IT", "es": "es_ES"}
ENGLISH = ["US", "GB", "AU", "NZ", "CA", "ZA"]  # where people of English texts live; their names are of all 24 sets
OF_NAMES = ["first_name", "last_name", "first_name_female", "last_name_female", "first_name_male", "last_name_male", "gender", "email"]
NAMES = {"de": ["German"], "fr": ["French"], "it": ["Italian"], "es": ["Spanish"]}
TEMPLATES = {
    "de": """Mein Name ist {{name}} und ich erreiche seit gestern niemanden unter {{phone_number}}.
Bitte schicken Sie die Sensoren an {{address}}, nicht an die alte Anschrift.
Sehr geehrte Frau {{last_name}}, vielen Dank für Ihre schnelle Antwort.
{{first_name}} hat mir gezeigt, wie man den Katheter wechselt.
Meine Tochter {{first_name_female}} hatte heute Nacht wieder Unterzucker, der Alarm blieb stumm.
Patient {{name}}, geboren am {{date_of_birth}}, klagt über Schwindel nach der Injektion.
Schreiben Sie mir an {{email}}, am Telefon warte ich immer zu lange.
Die Erstattung geht auf das Konto {{iban}} von {{first_name}} {{last_name}}.
Ich habe mit {{name}} gesprochen und warte weiter auf den Ersatz.
Die Pumpe piept jede Nacht. Mit freundlichen Grüßen {{name}}
Herr {{last_name}} von der Hotline war nett, aber geholfen hat es nicht.
Können {{first_name}} und {{first_name_female}} zur Schulung kommen?""",
    "fr": """Je m'appelle {{name}} et personne ne répond au {{phone_number}} depuis hier.
Merci d'envoyer les capteurs à l'adresse suivante : {{address}}
Madame {{last_name}}, merci pour votre réponse rapide.
{{first_name}} m'a montré comment changer le cathéter.
Ma fille {{first_name_female}} a encore fait une hypoglycémie cette nuit, l'alarme est restée muette.
Le patient {{name}}, né le {{date_of_birth}}, se plaint de vertiges après l'injection.
Écrivez-moi à {{email}}, au téléphone j'attends toujours trop longtemps.
Le remboursement va sur le compte {{iban}} de {{first_name}} {{last_name}}.
J'ai parlé avec {{name}} et j'attends toujours le remplacement.
La pompe sonne toutes les nuits. Cordialement, {{name}}
Monsieur {{last_name}} de l'assistance était aimable, mais cela n'a servi à rien.
Est-ce que {{first_name}} et {{first_name_female}} peuvent venir à la formation ?""",
    "it": """Mi chiamo {{name}} e da ieri nessuno risponde al {{phone_number}}.
Mandate i sensori a questo indirizzo: {{address}}
Gentile signora {{last_name}}, grazie della risposta veloce.
{{first_name}} mi ha fatto vedere come si cambia il catetere.
Mia figlia {{first_name_female}} ha avuto un'altra ipoglicemia questa notte, l'allarme non ha suonato.
Il paziente {{name}}, nato il {{date_of_birth}}, riferisce capogiri dopo l'iniezione.
Scrivetemi a {{email}}, al telefono aspetto sempre troppo.
Il rimborso va sul conto {{iban}} di {{first_name}} {{last_name}}.
Ho parlato con {{name}} e aspetto ancora la sostituzione.
Il microinfusore suona ogni notte. Cordiali saluti, {{name}}
Il signor {{last_name}} dell'assistenza era gentile, ma non è servito a niente.
Possono venire al corso anche {{first_name}} e {{first_name_female}}?""",
    "es": """Me llamo {{name}} y desde ayer nadie contesta en el {{phone_number}}.
Envíen los sensores a esta dirección: {{address}}
Estimada señora {{last_name}}, gracias por su rápida respuesta.
{{first_name}} me enseñó a cambiar el catéter.
Mi hija {{first_name_female}} tuvo otra hipoglucemia esta noche, la alarma no sonó.
El paciente {{name}}, nacido el {{date_of_birth}}, refiere mareos después de la inyección.
Escríbanme a {{email}}, por teléfono siempre espero demasiado.
El reembolso va a la cuenta {{iban}} de {{first_name}} {{last_name}}.
Hablé con {{name}} y sigo esperando el recambio.
La bomba suena todas las noches. Saludos, {{name}}
El señor {{last_name}} de atención al cliente fue amable, pero no sirvió de nada.
¿Pueden venir {{first_name}} y {{first_name_female}} al curso?"""}


def main(file: Path) -> None:
    """Write the texts of all five languages."""
    with file.open("w", encoding="utf-8") as out:
        for language in LOCALES:
            for sample in _samples(language):
                spans = [{"start": s.start_position, "end": s.end_position, "type": KINDS.get(s.entity_type, OPTIONAL)}
                         for s in sample.spans]
                out.write(json.dumps({"language": language, "text": sample.full_text, "spans": spans}, ensure_ascii=False) + "\n")


def _samples(language: str) -> Any:
    from presidio_evaluator.data_generator import PresidioSentenceFaker
    from presidio_evaluator.data_generator.faker_extensions.datasets import load_fake_person_df
    from presidio_evaluator.data_generator.presidio_sentence_faker import presidio_templates_file_path

    random.seed(SEED)
    people = load_fake_person_df()
    if language in NAMES:
        people = people[people["nationality"].isin(NAMES[language])][OF_NAMES].reset_index(drop=True)
    else:
        people = people[people["country_code"].isin(ENGLISH)].reset_index(drop=True)
    kinds = {**PresidioSentenceFaker.ENTITY_TYPE_MAPPING, "date_of_birth": "DATE", "birthday": "DATE", "date_time": "DATE",
             "day_of_week": "DAY", "zipcode": "STREET_ADDRESS"}
    templates = TEMPLATES[language] if language in TEMPLATES else presidio_templates_file_path.read_text(errors="replace")
    lines = [line.strip().replace("\\n", "\n") for line in templates.splitlines() if "{{date_time}}" not in line]
    with contextlib.redirect_stdout(sys.stderr):
        faker = PresidioSentenceFaker(LOCALES[language], lower_case_ratio=0.0, sentence_templates=lines, base_records=people,
                                      entity_type_mapping=kinds, random_seed=SEED,
                                      entity_providers=[] if language in TEMPLATES else None)
        return faker.generate_new_fake_sentences(EACH)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
