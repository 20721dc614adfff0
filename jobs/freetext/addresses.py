"""Patterns of addresses as five languages write them: streets with numbers, postcodes with towns, post boxes.

Blanks in them do not count, but those in brackets.
"""

from __future__ import annotations

CAPITAL = r"(?:[A-ZÀ-ÖØ-Þ][\w'’\-]*(?:(?<=\b\w{1,3})\.)?)"
SMALL = r"""(?:de[ ]la|de[ ]los|de[ ]las|de[ ]l['’]|della|delle|dello|degli|dei|dell['’]|del|des|du|de|d['’]|di|da|la|le|les|
             lo|los|las|l['’]|von|van|der|den|dem|zum|zur|am|an|im|in|the|of|y|e|et)"""
WORDS = rf"{CAPITAL}(?:[ ](?:{SMALL}[ ]?)*{CAPITAL}){{0,4}}"
UK = r"(?:GIR[ ]?0AA|[A-PR-UWYZ](?:\d{1,2}|[A-HK-Y]\d(?:\d|[ABEHMNPRV-Y])?|\d[A-HJKPS-UW])[ ]?\d[ABD-HJLNP-UW-Z]{2})"
CANADIAN = r"(?:[ABCEGHJ-NPRSTVXY]\d[A-Z][ ]\d[A-Z]\d)"
POSTCODE = rf"(?:(?:(?:D|A|CH|F|I|E|L|B)[\- ])?\d{{4,6}}(?:-\d{{3,4}})?|{UK}|{CANADIAN})"
FLAT = r"""(?:flat|apt\.?|apartment|suite|unit|floor|bâtiment|bât\.?|appartement|appartamento|appt?\.?|étage|scala|
            int(?:erno|\.)|piano|piso|portal|puerta|esc(?:alera|\.)|top|stiege|hinterhaus|box)"""
# What follows a street: a letter, flats, a postcode, a town, a country, a province in brackets.
TAIL = rf"""(?:[ ]?[a-zA-Z](?!\w))?
            (?:[,\s]{{1,3}}(?i:{FLAT})[ ]?[\w.º°]{{1,5}}(?:(?:[ ]{CAPITAL}){{1,5}})?|
               ,?[ ]\d{{1,2}}[º°ª][ ]?[A-Za-z]?(?!\w)|,[ ]\d{{1,3}}(?!\w))*
            (?:[,\s]{{1,3}}(?:in[ ])?{POSTCODE}(?!\w)(?:,?[ ]{WORDS})?|
               [,\s]{{1,3}}{WORDS},?\s{{1,2}}(?:[A-Z]{{2,3}}\s)?{POSTCODE}(?!\w)|,[ ]{WORDS})?
            (?:[ ]\([A-Z]{{2}}\))?"""
GERMAN = (r"(?:stra(?:ß|ss)e|str\.|weg|gasse|platz|allee|ring|damm|ufer|chaussee|steig|markt|graben|zeile|hof|kamp|wall|berg|"
          r"stieg|pfad)")
ENGLISH = r"""(?:Street|St\.?|Road|Rd\.?|Avenue|Ave\.?|Lane|Ln\.?|Drive|Dr\.?|Close|Court|Ct\.?|Crescent|Cres\.?|Way|Place|Pl\.?|
               Gardens|Terrace|Square|Sq\.?|Hill|Park|Boulevard|Blvd\.?|Row|Mews|Grove|View|Walk|Parade|Highway|Hwy\.?|
               Parkway|Pkwy|Circle|
               Trail|Loop|Green|Rise|Mill|Cove|Point|Pike|Manor|Fork|Forks|Alley|Crossing|Ridge|Heights|Springs|Station|Shores|
               Falls|Bridge|Flats|Summit|Extension|Isle|Key|Keys|Knoll|Meadow|Meadows|Mountain|Oval|Pass|Path|Pine|Plains|Plaza|
               Port|Prairie|Ranch|Rapids|Route|Run|Shoal|Skyway|Spur|Stravenue|Throughway|Track|Tunnel|Turnpike|Union|Valley|
               Via|Viaduct|
               Village|Ville|Vista|Well|Wells|Ways|Hollow|Harbor|Haven|Inlet|Island|Junction|Lakes|Landing|Light|Locks|Lodge|
               Mall)"""
STREET = r"(?:Street|Road|Avenue|Lane|Crescent|Terrace|Boulevard|Drive)"
FRENCH = (r"(?:rue|avenue|av\.|boulevard|bd|bld|place|chemin|impasse|allée|quai|route|cours|passage|square|résidence|faubourg|"
          r"sentier)")
ITALIAN = r"""(?:via|viale|v\.le|piazza|p\.zza|piazzale|piazzetta|corso|c\.so|vicolo|largo|strada|contrada|lungomare|salita|
               borgo|stretto|canale|rotonda|incrocio|traversa|frazione|località|rione)"""
SPANISH = r"""(?:calle|c/|c\.|avenida|avda\.?|av\.|plaza|pza\.?|paseo|pº|camino|carretera|ctra\.?|ronda|travesía|glorieta|
               callejón|urbanización|cuesta|pasaje|acceso|alameda|vial|pasadizo|rambla|via|vía|cañada|rúa)"""
COUNTRY = r"""(?:(?:the[ ])?United[ ](?:States|Kingdom)|USA?|UK|New[ ]Zealand|South[ ]Africa|Australia|Canada|Ireland|
               Germany|Austria|
               Switzerland|France|Italy|Spain|Belgium|Deutschland|Österreich|Schweiz|Frankreich|Italien|Spanien|Allemagne|
               Autriche|Suisse|Italie|Espagne|Belgique|Germania|Svizzera|Francia|Italia|Spagna|Alemania|Suiza|España|Bélgica)"""
OTHERWISE = r"(?![\d:.,%]?\d|[ ](?:Uhr|Tage|Jahre|mal|mg|ml|Einheiten|IE|mmol))"
ADDRESSES = tuple(rf"(?x)(?<![\w\-])(?:{pattern})" for pattern in (
    rf"""(?:{CAPITAL}[ \-])?(?:[A-ZÄÖÜ][\wß\-]*{GERMAN}|{CAPITAL}[ \-](?i:{GERMAN}))[ ]\d{{1,4}}
         (?:[ ]?[\-/][ ]?\d{{1,3}})?{TAIL}""",
    rf"[a-zäöü]{{3,}}(?:stra(?:ß|ss)e|str\.|weg|gasse|platz|allee)[ ]\d{{1,4}}[a-z]?(?!\w)(?:,?[ ]{POSTCODE}[ ]\w+)?",
    r"[A-ZÄÖÜ][a-zäöüß\-]{3,}(?:stra(?:ß|ss)e|gasse|allee|chaussee)(?!\w)",
    rf"""(?:Am|An[ ]der|An[ ]den|Im|In[ ]der|In[ ]den|Auf[ ]der|Auf[ ]dem|Unter[ ]den|Zum|Zur|Hinter[ ]der|Vor[ ]dem)
         [ ]{CAPITAL}(?:[ ]{CAPITAL})?[ ]\d{{1,3}}{OTHERWISE}{TAIL}""",
    rf"""(?:(?i:{FLAT})[ ]\w{{1,4}},?[ ])?(?:\d{{1,6}}[ ])?\d{{1,5}}[A-Za-z]?[ ](?:{CAPITAL}[ ]){{1,4}}{ENGLISH}(?!\w){TAIL}""",
    rf"(?:{CAPITAL}[ ]){{1,3}}{STREET}(?!\w)",
    r"\d{1,5}[a-z]?[ ](?:[a-z]+[ ]){1,2}(?:street|road|avenue|lane|crescent|gardens|terrace)(?!\w)",
    rf"\d{{1,4}}(?:[ ]?(?:bis|ter|quater))?,?[ ](?i:{FRENCH})[ ](?:{SMALL}[ ]?)*(?:{WORDS}|[a-zà-ÿ\-]+(?:[ ][a-zà-ÿ]+)?){TAIL}",
    rf"""(?i:rue|avenue|boulevard|impasse|allée|quai|viale|piazza|vicolo|calle|avenida|plaza|paseo|chemin)[ ]
         (?:{SMALL}[ ]?)*{WORDS}(?:,?[ ]\d{{1,4}}{TAIL})?""",
    rf"""(?i:{ITALIAN})[ ](?:{SMALL}[ ]?)*(?:{WORDS}|\d{{1,2}}[ ]{CAPITAL}|[IVX]+[ ]{CAPITAL}),?[ ]
         (?:n\.?[ ]?|n°[ ]?|num\.[ ]?)?\d{{1,4}}(?:[/ ]?[A-Za-z](?!\w))?{TAIL}""",
    rf"(?i:{SPANISH})[ ]?(?:{SMALL}[ ]?)*{WORDS},?[ ](?:(?i:n[ºo°]?\.?|núm\.?|número)[ ]?)?\d{{1,4}}{TAIL}",
    rf"(?:[A-Z]{{1,2}}-)?\d{{5}}[ ]{CAPITAL}(?=[ ]?(?:$|[\n,.;!?)]))",
    r"""(?i:P\.?[ ]?O\.?[ ]?Box|Postfach|boîte[ ]postale|BP|casella[ ]postale|C\.P\.|apartado(?:[ ]de[ ]correos)?|apdo\.?)[ ]
        \d{1,6}(?!\w)(?:,?[ ]\d{4,5}[ ]\w+)?""",
    rf"(?:PSC|Unit|CMR)[ ]\d{{1,5}},?[ ]Box[ ]\d{{1,5}}{TAIL}(?:\s(?:APO|FPO|DPO)[ ]A[AEP][ ]\d{{5}})?",
    rf"(?:USS|USNS|USNV|USCGC)[ ]{WORDS}{TAIL}",
    rf"(?:{UK}|{CANADIAN})(?!\w)",
    rf"(?:\d{{1,6}}[ ]){{0,2}}\d{{1,3}}(?:st|nd|rd|th)[ ]{ENGLISH}(?!\w){TAIL}",
    rf"{COUNTRY}[ ]\d{{4,6}}(?!\w)",
    r"(?i:suite|apt\.?|apartment|flat|appartement|appartamento)[ ]\d{1,4}[a-z]?(?!\w)",
    rf"{WORDS},[ ][A-Z]{{2}}[ ]\d{{5}}(?:-\d{{4}})?(?!\w)",
    r"""(?i:zip(?:[ ]code)?|post[ ]?code|postal[ ]code|plz|postleitzahl|code[ ]postal|cap|código[ ]postal|c\.?p\.?)[ ]?
        (?:is|ist|est|è|es)?[ ]?:?[ ]?(?P<it>(?:[A-Z]{1,2}-)?\d{4,5}(?:-\d{3,4})?)(?!\w)"""))
# Parts of an address on their own, beside one that was found.
BEFORE = rf"(?x)(?:(?<!\w)(?:(?i:{FLAT})[ ]\w{{1,5}}|\d{{1,6}})[,\s]{{1,3}})+$"
LINE = rf"(?:[ ]*\n[, ]*(?:{WORDS},?|{POSTCODE}|[A-Z]{{2,3}})[ ]*(?=[\n.,]|$))"
AFTER = rf"""(?x)(?:[,\s]{{1,6}}(?:(?i:{FLAT})[ ]\w{{1,5}}|{POSTCODE}|
                                (?:{CAPITAL},?\s+){{1,4}}(?:[A-Z]{{2,3}}\s)?{POSTCODE})(?!\w)|{LINE})+
             (?:,?[ ]{WORDS}(?=[,.\n]|$))?
             (?:[,\s]{{1,4}}{COUNTRY}(?!\w)(?:[ ]\d{{4,6}}(?!\w))?)?|
             [,\s]{{1,4}}{COUNTRY}(?!\w)(?:[ ]\d{{4,6}}(?!\w))?"""
