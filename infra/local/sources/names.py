"""Word lists for the synthetic population: names, cities and mobile number ranges of five countries.

Mobile numbers stay in ranges that are unassigned or set aside for fiction, and mail domains end in .example.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Country:
    """One country of residence: share of the population, language, phone rules, words to draw from."""

    code: str
    weight: int
    language: str
    zone: str
    dial: str
    trunk: str
    mobile: str
    digits: int
    female: tuple[str, ...]
    male: tuple[str, ...]
    family: tuple[str, ...]
    cities: tuple[tuple[str, str], ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in text.split())


def _cities(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (entry.split(":") for entry in text.split())
    return tuple((name.replace("_", " "), postcode.replace("_", " ")) for name, postcode in pairs)


DE = Country(
    "DE", 35, "de", "Europe/Berlin", "49", "0", "1555", 7,
    _words("Anna Sabine Ursula Käthe Petra Monika Birgit Renate Zoë Heike Gisela Lena Marie Elke Ingrid"
           " Jana Katrin Nele Ayşe Fatma Sophie Claudia Brigitte Hannah Emilia Johanna Charlotte Greta Frieda"),
    _words("Jürgen Hans Peter Wolfgang Klaus Günther Dieter Michael Björn Sören Thomas Andreas Stefan Uwe Götz Karl"
           " Mehmet Emre Lukas Felix Jonas Max Rainer Bernd Matthias Markus Hartmut Friedrich Emil Anton"),
    _words("Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter Klein"
           " Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Werner Krause Lehmann Köhler"
           " Maier Groß Weiß Yılmaz Öztürk Nowak Vogt Jäger Stein Böhm Seidel Lüdenscheid Kowalski Strauß Förster"),
    _cities("Berlin:10### Hamburg:20### München:80### Köln:50### Düsseldorf:40### Leipzig:04### Nürnberg:90###"
            " Dresden:01### Görlitz:028##"))
FR = Country(
    "FR", 20, "fr", "Europe/Paris", "33", "0", "6399", 5,
    _words("Marie Chloé Léa Camille Françoise Hélène Anaïs Nathalie Isabelle Sylvie Céline Aurélie Zoé Manon Inès"
           " Margaux Thérèse Brigitte Élodie Noémie Fatima Agnès Lucie Jeanne"),
    _words("Jean Pierre François Michel André Philippe Rémi Loïc Gaël Étienne Jérôme Hugo Léo Mathis Théo Raphaël"
           " Benoît Olivier Noël Karim Yves Thierry Gérard Lucas"),
    _words("Martin Bernard Dubois Thomas Robert Richard Petit Durand Leroy Moreau Simon Laurent Lefèvre Michel Garcia"
           " Roux Fournier Girard Bonnet Dupont Lambert Fontaine Rousseau Chevalier Gauthier François Mercier Lefebvre"
           " Benoît Legrand Château Müller N'Guyen D'Almeida Le_Goff De_La_Tour"),
    _cities("Paris:750## Lyon:690## Marseille:130## Toulouse:310## Nantes:440## Strasbourg:670## Orléans:450##"
            " Saint-Étienne:420##"))
IT = Country(
    "IT", 18, "it", "Europe/Rome", "39", "", "399", 7,
    _words("Giulia Chiara Francesca Sara Martina Valentina Alessia Elisa Maria Anna Lucia Rosa Giovanna Teresa Paola"
           " Federica Elena Silvia Aurora Sofia Bianca"),
    _words("Giuseppe Giovanni Antonio Mario Luigi Francesco Niccolò Marco Andrea Alessandro Matteo Lorenzo Davide"
           " Simone Luca Stefano Paolo Riccardo Pietro Leonardo Salvatore"),
    _words("Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Bruno Gallo Conti De_Luca Mancini"
           " Costa Giordano Rizzo Lombardi Moretti Barbieri Fontana Santoro Mariani Rinaldi Caruso Ferrara D'Angelo"
           " Dell'Acqua Nicolò Cantù"),
    _cities("Roma:001## Milano:201## Napoli:801## Torino:101## Palermo:901## Genova:161## Forlì:471## Bologna:401##"))
ES = Country(
    "ES", 15, "es", "Europe/Madrid", "34", "", "6000", 5,
    _words("María Carmen Ana Isabel Dolores Pilar Josefa Teresa Lucía Sofía Begoña Paula Andrea Rocío Inés Nuria"
           " Elena Mónica Raquel Concepción Montserrat Itziar"),
    _words("Antonio José Manuel Francisco Juan David Javier Daniel Jesús Carlos Miguel Alejandro Rafael Pablo Álvaro"
           " Sergio Iñaki Ángel Andrés Raúl Joaquín Óscar"),
    _words("García Rodríguez González Fernández López Martínez Sánchez Pérez Gómez Martín Jiménez Ruiz Hernández Díaz"
           " Moreno Muñoz Álvarez Romero Alonso Gutiérrez Navarro Torres Domínguez Vázquez Ramos Ibáñez Núñez Peña"
           " Castaño"),
    _cities("Madrid:280## Barcelona:080## Valencia:460## Sevilla:410## Zaragoza:500## Málaga:290## Cádiz:110##"
            " Logroño:260##"))
GB = Country(
    "GB", 12, "en", "Europe/London", "44", "0", "77009", 5,
    _words("Olivia Amelia Emily Jessica Margaret Susan Patricia Sarah Siân Niamh Charlotte Grace Elizabeth Joan"
           " Priya Aisha Chloe Zoe Rebecca Hannah"),
    _words("Oliver Jack Harry George David John Alan Stephen James William Thomas Seán Rhys Mohammed Arjun Daniel"
           " Peter Graham Kevin Callum"),
    _words("Smith Jones Taylor Brown Williams Wilson Johnson Davies Patel Wright Walker White Edwards Hughes Green Hall"
           " Lewis Harris Clarke Khan O'Brien O'Connor Singh Begum Llewellyn Brontë MacDonald Kowalska"),
    _cities("London:SW1A_#A Manchester:M1_#B Birmingham:B2_#D Leeds:LS1_#E Glasgow:G1_#F Cardiff:CF10_#H"
            " Belfast:BT1_#J"))

COUNTRIES = (DE, FR, IT, ES, GB)
BY_CODE = {country.code: country for country in COUNTRIES}
MAIL_DOMAINS = ("mail.example", "post.example", "webmail.example", "inbox.example", "correo.example", "poste.example")
WORK_DOMAINS = ("work.example", "firma.example", "office.example", "bureau.example")
