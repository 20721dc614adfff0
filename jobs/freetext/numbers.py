"""Patterns of telephone numbers and of numbers that stand for somebody, told by the word before them or by their length."""

from __future__ import annotations

# Words that say what the number behind them is, in five languages, and short words that may stand between.
OF_WHAT = (
    "customer|client|patient|member(?:ship)?|order|policy|case|ticket|serial|account|contract|reference|ref|insurance|nhs|passport|"
    "licen[cs]e|id|mrn|record|chart|batch|device|prescription|invoice|complaint|booking|tracking|parcel|user|"
    "kunden|patienten|versicherten|versicherungs|mitglieds?|bestell|auftrags?|vertrags|serien|fall|vorgangs|rezept|rechnungs|geräte|"
    "ausweis|pass|personalausweis|akten|referenz|teilnehmer|steuer|sozialversicherungs|rentenversicherungs|kv|sendungs|chargen|"
    "dossier|commande|contrat|adhérent|assuré|sécurité sociale|sécu|série|facture|référence|réf|patiente?|cliente?|réclamation|"
    "cliente|paziente|pratica|ordine|polizza|tessera(?: "
    "sanitaria)?|contratto|serie|fattura|riferimento|rif|segnalazione|cartella|"
    "pedido|póliza|expediente|historia(?: clínica)?|contrato|factura|referencia|afiliación|seguridad social|tarjeta(?: "
    "sanitaria)?|"
    "reclamación|socio|dni|nie|nif|nuss|cip|codice fiscale|cf|nss|nir|ean|imei|udi|lot|iban|svnr|ahv|bsnr|lanr|cpr")
NUMBER_WORDS = r"(?:number|no|nr|num|nummer|id|code|numéro|numero|número|núm|codice|código|n[°ºo]|#)"
CODE = r"(?P<it>(?=[\w\-/.]*\d)[A-Za-z0-9](?:[A-Za-z0-9]|[\-/. ](?=[A-Za-z]?\d)){2,30}[A-Za-z0-9])"
BETWEEN = (r"(?:\s?[:.#=\-–]|\s?(?:is|was|ist|war|lautet|est|è|es|de|di|del|della|du|dem|vom|of|the|mein|meine|my|mon|ma|mia|"
          r"mio|mi))")
IDS = (
    rf"(?i)(?<!\w)(?:{OF_WHAT})[ \-]?{NUMBER_WORDS}?(?!\w){BETWEEN}{{0,3}}\s?{CODE}(?!\w)",
    rf"(?i)(?<!\w){NUMBER_WORDS}\.?\s?(?:de|di|d['’]|du|della|del|dell['’]|de la)?\s?(?:l['’])?(?:{OF_WHAT})(?!\w)"
    rf"{BETWEEN}{{0,3}}\s?{CODE}(?!\w)",
    rf"(?i)(?<!\w)\w*(?:nummer|nr)\b{BETWEEN}{{0,3}}\s?{CODE}(?!\w)",
    r"(?<![\w.,])(?=[A-Z\d\-/]*\d[A-Z\d\-/]*\d[A-Z\d\-/]*\d)(?=[A-Z\d\-/]*[A-Z])[A-Z\d](?:[A-Z\d]|[\-/](?=[A-Z\d])){5,30}(?!\w)",
    r"(?<![\w.,])\d{6,}(?![\w]|[.,]\d)",
    r"(?<![\w.,])[1-478]\s?\d\d\s?(?:0[1-9]|1[0-2]|[2-9]\d)\s?(?:\d\d|2[AB])\s?\d{3}\s?\d{3}(?:\s?\d\d)?(?!\w)",
    r"(?<![\w.,])756[. ]?\d{4}[. ]?\d{4}[. ]?\d\d(?!\w)",
    r"(?<![\w.,])[A-Z]{2}\s?\d\d\s?\d\d\s?\d\d\s?[A-D](?!\w)",
    r"(?<![\w.,])\d\d\s?\d{6}\s?[A-Z]\s?\d{3}(?!\w)",
    r"(?i)(?<![\w.,])[A-Z]{6}\s?\d\d[A-EHLMPRST]\d\d\s?[A-Z]\d{3}[A-Z](?!\w)",
    r"(?i)(?<![\w.,])(?:[XYZ][ \-]?)?\d{1,2}\.?\d{3}\.?\d{3}[ \-]?[A-Z](?!\w)",
    r"(?<!\w)[A-Z]{2}\d\d(?:[ \-]?[A-Z\d]{4}){3,7}(?:[ \-]?[A-Z\d]{1,4})?(?!\w)",
    r"(?<!\w)[a-z]{2}\d\d(?:[ \-]?[a-z\d]{4}){3,7}(?:[ \-]?\d{1,4})?(?!\w)")
PHONE_WORDS = (r"tel(?:efon(?:nummer)?|ephone|éphone|efono|éfono)?|phone|mobile?|cell(?:phone|ulare)?|call|ring|text|"
               r"handy(?:nummer)?|"
               r"mobil(?:nummer)?|nummer|rückruf|erreichbar|anrufen|portable|fixe|numéro|appel(?:er|ez)|joindre|cell|numero|"
               r"chiamare|"
               r"chiamatemi|fisso|móvil|movil|número|llam(?:ar|en)(?:me)?|fax|whatsapp|sms|number|num|at|on|unter|au|al|el|en|"
               r"nel")
PHONES = (
    r"(?<![\w+])(?:\+|00)\d{1,3}(?:[\s.\-/]{0,2}\(?\d{1,5}\)?){2,7}(?!\w)",
    r"(?<![\w.,/\-])\(?0\d{1,5}\)?(?:[\s.\-/]{1,3}\d{2,8}){1,5}(?!\w|[.,]\d)",
    r"(?<![\w.,/\-])0\d{7,12}(?!\w)",
    r"(?<![\w.,/\-])\(\d{3}\)[ \-]?\d{3}[ \-.]?\d{4}(?!\w)",
    r"(?<![\w.,/\-])\d{3}[\-. ]\d{3}[\-. ]\d{4}(?:\s?x\d{1,6})?(?!\w)",
    r"(?<![\w.,/\-])[3679]\d{2}[ .\-]?\d{2,3}[ .\-]?\d{2,3}(?:[ .\-]?\d{2})?(?!\w|[.,]\d|\s?(?:mg|ml|g|kg|kcal|mmol|%|IE|UI|€|"
    r"£))",
    rf"(?i)(?<!\w)(?:{PHONE_WORDS})\.?(?:\s?(?:is|ist|est|è|es|me|mich|"
    rf"mi))?\s?[:.]?\s?(?P<it>\+?\(?\d[\d \-./()]{{5,18}}\d)(?!\w)")
