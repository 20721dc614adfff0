"""Sentences people write, by language and kind: the free text of CRM cases and of social posts.

Kinds: `effect` mentions a possible side effect, `complaint` is displeased, `question` asks, `talk` just talks.
"""

from __future__ import annotations

KINDS = ("effect", "complaint", "question", "talk")

POSTS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "effect": ("Since the new dose I feel dizzy every morning.", "Nausea for three days now. Anyone else?",
                   "Got a rash on both arms after starting the tablets.",
                   "Ended up in hospital with a hypo last night, still shaky.",
                   "My heart was racing an hour after the injection."),
        "complaint": ("The app lost a week of my readings again.", "Still waiting for a replacement sensor.",
                      "Nobody answers your hotline. Not good enough.", "Strips are out of stock everywhere!"),
        "question": ("Can I take it before breakfast?", "Does the meter work abroad?",
                     "How do I share my logbook with my doctor?", "Is the pen safe in hand luggage?"),
        "talk": ("Time in range 82 % this week!", "Walk after dinner works wonders for my numbers.",
                 "Ten years with type 2 today.", "New recipe, almost no spike."),
    },
    "de": {
        "effect": ("Seit der neuen Dosis ist mir morgens schwindlig.", "Habe Ausschlag an beiden Armen bekommen.",
                   "War gestern wegen Unterzucker im Krankenhaus.", "Seit drei Tagen Übelkeit, kennt das jemand?"),
        "complaint": ("Die App hat schon wieder eine Woche Werte verloren.", "Ich warte noch immer auf den Sensor.",
                      "Bei der Hotline geht niemand ran.", "Teststreifen überall ausverkauft!"),
        "question": ("Kann ich das vor dem Frühstück nehmen?", "Funktioniert das Gerät im Ausland?",
                     "Wie teile ich mein Tagebuch mit der Ärztin?"),
        "talk": ("82 % im Zielbereich diese Woche!", "Spaziergang nach dem Essen hilft mir sehr.",
                 "Heute zehn Jahre Typ 2."),
    },
    "fr": {
        "effect": ("Depuis la nouvelle dose j'ai des vertiges le matin.", "Éruption cutanée après les comprimés.",
                   "Hospitalisé hier soir pour une hypoglycémie.", "Des nausées depuis trois jours."),
        "complaint": ("L'appli a encore perdu une semaine de mesures.", "J'attends toujours le nouveau capteur.",
                      "Personne ne répond au téléphone."),
        "question": ("Peut-on le prendre avant le petit-déjeuner ?", "Le lecteur marche-t-il à l'étranger ?"),
        "talk": ("82 % dans la cible cette semaine !", "Marcher après le dîner, ça change tout."),
    },
    "it": {
        "effect": ("Con la nuova dose ho le vertigini al mattino.", "Mi è venuta un'eruzione cutanea.",
                   "Ieri in ospedale per un'ipoglicemia.", "Nausea da tre giorni."),
        "complaint": ("L'app ha perso di nuovo una settimana di dati.", "Aspetto ancora il sensore nuovo.",
                      "Nessuno risponde al telefono."),
        "question": ("Si può prendere prima di colazione?", "Il misuratore funziona all'estero?"),
        "talk": ("82 % nel target questa settimana!", "Una passeggiata dopo cena aiuta molto."),
    },
    "es": {
        "effect": ("Con la nueva dosis estoy mareado por la mañana.", "Me ha salido un sarpullido en los brazos.",
                   "Anoche acabé en el hospital por una hipoglucemia.", "Tres días con náuseas."),
        "complaint": ("La app ha vuelto a perder una semana de datos.", "Sigo esperando el sensor nuevo.",
                      "Nadie contesta al teléfono."),
        "question": ("¿Se puede tomar antes del desayuno?", "¿El medidor funciona en el extranjero?"),
        "talk": ("¡82 % en rango esta semana!", "Caminar después de cenar ayuda mucho."),
    },
}

REPLIES = {
    "en": "Thank you for writing. We have sent you a message and will look into it.",
    "de": "Danke für die Nachricht. Wir haben Ihnen geschrieben und kümmern uns darum.",
    "fr": "Merci de votre message. Nous vous avons écrit et nous nous en occupons.",
    "it": "Grazie del messaggio. Le abbiamo scritto e ce ne occupiamo.",
    "es": "Gracias por escribir. Le hemos enviado un mensaje y lo estamos revisando.",
}
SUBJECTS = {
    "effect": ("Not feeling well", "Reaction after new medicine", "Felt unwell"),
    "complaint": ("Meter faulty", "App lost data", "Delivery late"),
    "question": ("Use of the meter", "Travel", "Sharing the logbook"),
    "talk": ("Feedback", "Change of address", "Thank you"),
}
EDITED = {"en": "Edit: better now.", "de": "Nachtrag: inzwischen besser.", "fr": "Édit : ça va mieux.",
          "it": "Modifica: ora va meglio.", "es": "Edito: ya mejor."}
