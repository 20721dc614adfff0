"""Words beside which a name stands, in five languages: titles, greetings, introductions, relations, farewells."""

from __future__ import annotations

import re


def words_of(text: str) -> frozenset[str]:
    """The words of a text, with blanks between them, as a set."""
    return frozenset(text.split())


def sets(table: dict[str, str]) -> dict[str, frozenset[str]]:
    """Each language's words as a set."""
    return {language: words_of(words) for language, words in table.items()}


# Words right before a name, whatever the name is otherwise.
TITLES = {
    "en": "mr mrs ms miss mx dr doctor prof professor sir lady nurse sister rev reverend father captain consultant patient",
    "de": "herr herrn hr fr frau fräulein dr prof doktor professor schwester pfleger familie oberarzt dipl patient "
          "patientin inhaber inhaberin",
    "fr": "m mr mme mlle me monsieur madame mademoiselle docteur docteure dr pr professeur infirmière infirmier famille "
          "dre patient patiente",
    "it": "sig signor signora signorina sigra dott dottor dottoressa dottssa ssa dr prof professor professoressa ing avv "
          "infermiera infermiere suor famiglia geom ra paziente",
    "es": "sr sra srta señor señora señorita don doña d dña dr dra doctor doctora prof profesor profesora enfermera "
          "enfermero familia sor paciente"}
NO_NAMES_AFTER_TITLES = {
    "en": "the a an and is who was will said has on at in of to for line station team staff educator practitioner or i we "
          "you",
    "de": "und oder doktor professor dr prof med nat phil dipl apotheker apothekerin ärztin arzt kollegin kollege rer "
          "habil h c",
    "fr": "le la les et ou de du docteur dr professeur qui a est m directeur directrice président",
    "it": "e o il la del della dottoressa dottor dott direttore direttrice che ha è di ssa",
    "es": "y o el la de del doctor doctora dr dra director directora que ha es"}
RELATIONS = {
    "en": "daughter son husband wife mother mum mom mam father dad sister brother friend partner aunt uncle grandmother "
          "grandma nan grandfather grandad grandpa granny niece nephew cousin neighbour neighbor colleague boss girl boy "
          "baby fiancé boyfriend girlfriend carer nurse doctor educator toddler kid twin twins stepson stepdaughter gp",
    "de": "tochter sohn mann frau ehemann ehefrau mutter mama vater papa schwester bruder freund freundin partner "
          "partnerin tante onkel oma opa großmutter großvater nichte neffe cousin cousine nachbar nachbarin kollege "
          "kollegin chef chefin kind enkel enkelin jüngste jüngster älteste ältester kleine kleiner große großer zwilling "
          "beraterin berater pflegerin schwager schwägerin",
    "fr": "fille fils mari femme époux épouse mère maman père papa sœur soeur frère ami amie compagnon compagne tante "
          "oncle mamie papi grand-mère grand-père nièce neveu cousin cousine voisin voisine collègue chef conjoint petit "
          "petite copain copine puce",
    "it": "figlia figlio marito moglie madre mamma padre papà papa sorella fratello amico amica compagno compagna zia zio "
          "nonna nonno nipote cugino cugina vicino vicina collega capo piccolo piccola suocera suocero fidanzato fidanzata "
          "bimba bimbo",
    "es": "hija hijo marido mujer esposa esposo madre mamá mama padre papá papa hermana hermano amigo amiga compañero "
          "compañera tía tío abuela abuelo sobrina sobrino primo prima vecino vecina colega jefe jefa nieta nieto suegra "
          "suegro novio novia pequeña pequeño peque niña niño"}
GREETINGS = {
    "en": "dear hello hi hey morning afternoon evening thanks thank cheers",
    "de": "liebe lieber liebes hallo hi hey moin servus danke tag morgen abend gruezi grüezi",
    "fr": "cher chère chers bonjour bonsoir salut coucou merci",
    "it": "caro cara cari ciao salve buongiorno buonasera gentile egregio egregia gentilissima gentilissimo grazie",
    "es": "querido querida hola estimado estimada buenas gracias apreciado apreciada"}
# Phrases right before a name; what follows need not be in a list.
INTRODUCTIONS = {language: re.compile(rf"(?i)(?:{words})\W{{0,3}}$") for language, words in {
    "en": r"\bname is|\bname'?s|\bnamed|\bi am called|\bcalled|\bname\s?:|\bpatient\s?:|\bsigned|\bspeak(?:ing)? to|"
          r"\bspoke (?:to|with)|\bsincerely|\bfrom\s?:|\bcontact\s?:|\bask(?:ed)? for|\bon behalf of|\bnamed",
    "de": r"\bich bin (?:die|der)|\bheiße|\bheisse|\bheißt|\bheisst|\bname ist|\bname\s?:|\bnamens|\bnennt mich|"
          r"\bpatient(?:in)?\s?:|\bgezeichnet|\bgez\.|\bansprechpartner(?:in)?(?: ist|:)|\bkontakt\s?:|\bim auftrag von|"
          r"\bim namen von",
    "fr": r"\bm['’]appelle|\bs['’]appelle|\bnom est|\bprénom est|\bnommée?|\bnom\s?:|\bprénom\s?:|\bpatiente?\s?:|\bsignée?|"
          r"\bcontact\s?:|\bprénommée?|\bde la part de",
    "it": r"\bmi chiamo|\bsi chiama|\bnome è|\bnome\s?:|\bcognome\s?:|\bdi nome|\bpaziente\s?:|\bfirmato|\bcontatto\s?:|"
          r"\bper conto di|\ba nome di",
    "es": r"\bme llamo|\bse llama|\bnombre es|\bnombre\s?:|\bllamad[oa]|\bpaciente\s?:|\bfirmado|\bfdo\.?\s?:?|"
          r"\bcontacto\s?:|\bde parte de|\ba nombre de"}.items()}
# Phrases before what is often a name, often none: it must be in a list of names, or no word.
MAYBE = {language: re.compile(rf"(?i)(?:{words})\s$") for language, words in {
    "en": r"\bi am|\bi'm|\bthis is|\bit's|\bit is|\bwith|\band|\bby|\bfor|\bto|\bfrom|\bat|\bof",
    "de": r"\bich bin|\bhier ist|\bhier|\bmit|\bvon|\bund|\bbei|\ban|\bfür",
    "fr": r"\bje suis|\bc['’]est|\bici|\bavec|\bpar|\bpour|\bet|\bà|\bde|\bchez",
    "it": r"\bsono|\bqui|\bcon|\bda|\bper|\be|\ba|\bdi",
    "es": r"\bsoy|\baquí|\bcon|\bpor|\bpara|\by|\ba|\bde"}.items()}
# Ends of a letter, before whoever wrote it.
FAREWELLS = {language: re.compile(rf"(?i)(?:^|\W)(?:{words})(?: (?:from|von|aus|de|da|di|desde))?[\s,.!:\-–—]*$")
             for language, words in {
    "en": r"regards|wishes|yours|sincerely|faithfully|truly|cheers|thanks(?: again| so much| in advance)?|thank you|best|"
          r"love|xx?x?|take care|signed|respectfully",
    "de": r"grüßen|grüssen|grüße|grüsse|gruß|gruss|lg|vg|mfg|bg|hg|dank|danke|hochachtungsvoll|herzlichst|ihre?|euer|eure|"
          r"deine?|servus|tschüss|vielen dank im voraus",
    "fr": r"cordialement|cdlt|cdt|salutations(?: distinguées)?|sentiments|dévouée?|merci(?: d['’]avance| beaucoup)?|bises|"
          r"bisous|amicalement|respectueusement|à bientôt|sincèrement|à vous|bonne journée|bonne réception",
    "it": r"saluti|saluto|cordialmente|distintamente|grazie(?: mille| in anticipo| ancora)?|baci|un abbraccio|a presto|"
          r"in fede|buona giornata",
    "es": r"saludos?(?: cordiales?)?|atentamente|cordialmente|gracias(?: de antemano| por todo)?|besos|abrazo|un beso|"
          r"afectuosamente|muchas gracias"}.items()}
# Words after a name at the beginning of a sentence: what somebody does, or somebody else.
DOES = {
    "en": "is was has had said says called calls told tells and asked answered helped took gave came went sent wrote from "
          "who thinks thought explained promised showed never always also still just did does wants wanted needs needed "
          "can could will would got at loves hates felt feels rang changed put kept found forgot started",
    "de": "ist war hat hatte sagt sagte rief ruft und meinte meint half gab kam ging schickte schrieb fragte antwortete "
          "aus die der wollte will kann konnte macht machte braucht brauchte hat's zeigte erklärte versprach findet fand "
          "geht bekommt bekam nahm nimmt wird wurde trägt spritzt isst vergisst vergaß",
    "fr": "est était a avait dit et m m'a nous lui demande répond aide donne vient va envoie écrit qui pense explique "
          "promet montre n ne doit peut veut voulait pouvait se s prend prenait porte fait avait dort met",
    "it": "è era ha aveva dice disse e mi ci gli le chiede risponde aiuta dà viene va manda scrive che pensa spiega "
          "promette mostra non deve può vuole voleva poteva si prende prendeva porta fa ha",
    "es": "es era ha había dice dijo y me nos le pregunta responde ayuda da viene va manda escribe que piensa explica "
          "promete muestra no debe puede quiere quería podía se toma tomaba lleva hace está estaba"}
# What only somebody does, to me or to us.
TELLS = {
    "en": "told called said showed rang texted promised explained lives lived works",
    "de": "",
    "fr": "m nous me",
    "it": "mi ci",
    "es": "me nos"}
WITH = words_of("with avec con")
# Months and verbs that are given names too, before a family name.
GIVEN_TOO = words_of("will may april june august")
PARTICLES = words_of(
    "von van der den de del della delle degli dei dello di da la le du dos das do el al bin ibn ter ten zu zum zur dal "
    "dalla lo mac st y i")
# Before a German noun and not before a name.
DETERMINERS = words_of(
    "der die das den dem des ein eine einen einem einer eines kein keine keinen keinem keiner mein meine meinen meinem "
    "meiner dein deine sein seine seinen seinem seiner ihr ihre ihren ihrem ihrer unser unsere unseren unserem unserer "
    "euer eure dieser diese dieses diesen diesem jeder jede jedes jeden jedem welche welcher welches im am zum zur vom "
    "beim ins ans alle allen aller viel viele vielen mehr wenig wenige etwas manche einige beide beiden zwei drei vier "
    "fünf sechs zehn pro ohne genug nächste nächsten nächster letzte letzten letzter ganze ganzen ersten erste zweite "
    "zweiten dritte dritten so solche solchen")
