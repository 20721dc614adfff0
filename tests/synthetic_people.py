"""People that nobody is, with what makes linking hard: households, twins, family e-mails, recycled phones, typing errors.

Everything is drawn in columns, so that a million people are a matter of seconds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Texts = NDArray[Any]

ONSETS = ("b", "br", "c", "d", "f", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "r", "s", "sch", "st", "t", "v", "w", "z")
VOWELS = ("a", "e", "i", "o", "u", "ai", "ei", "ou")
ENDS = ("", "n", "r", "s", "l", "ck", "nd", "rt", "tz", "m")
LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))
MAP = {"record_id": "id", "given_name": "first", "family_name": "last", "birth_date": "born", "sex": "gender", "address": "street",
       "postcode": "zip", "city": "town", "email": "mail", "phone": "tel"}


def people(number: int, seed: int = 7, records_a_person: float = 1.6, twins: float = 0.01) -> pa.Table:
    """Records of a number of people: the columns of ``MAP``, and person, the number of who it is.

    Two in five people share their household's family name, street and town, a fifth of those its e-mail address; twins share
    the birth date too. An e-mail address is made of its owner's name; one phone number in two hundred was somebody else's.
    """
    roll = np.random.default_rng(seed)
    who = _persons(roll, number, twins)
    copies = 1 + roll.poisson(records_a_person - 1, number)
    person = np.repeat(np.arange(number), copies)
    order = roll.permutation(len(person))
    person = person[order]
    columns = {name: values[person].copy() for name, values in who.items()}
    _spoil(roll, columns)
    table = {name: pa.array(values.tolist(), pa.string()) for name, values in columns.items()}
    ids = pa.array([f"r{n}" for n in range(len(person))])
    return pa.table({"id": ids, **table, "person": pa.array(person)})


def _persons(roll: np.random.Generator, number: int, twins: float) -> dict[str, Texts]:
    given, family = _names(roll, 1200, 2), _names(roll, 20_000, 2)
    home = np.arange(number)
    shares = roll.random(number) < 0.4
    home[1:][shares[1:]] = home[:-1][shares[1:]]  # One lives with the one before.
    home = _settled(home)
    is_twin = np.zeros(number, dtype=bool)
    is_twin[1:] = (home[1:] == home[:-1]) & (roll.random(number - 1) < twins / 0.4)
    day = np.datetime64("1935-01-01") + roll.integers(0, 31_000, number)
    day[is_twin] = day[np.flatnonzero(is_twin) - 1]
    first = given[_zipf(roll, len(given), number)]
    last = family[_zipf(roll, len(family), number)][home]
    place = roll.integers(0, 3000, number)[home]
    town = _names(roll, 400, 3)[np.arange(3000) % 400][place]
    street = np.char.add(np.char.add(_names(roll, 4000, 3)[roll.integers(0, 4000, number)][home], " street "),
                         roll.integers(1, 150, number)[home].astype(str))
    mail = np.char.add(np.char.add(np.char.add(first, "."), np.char.add(last, roll.integers(1, 100, number).astype(str))),
                       np.array(["@example-mail.de", "@post.example.fr", "@web.example.it"])[roll.integers(0, 3, number)])
    family_mail = (home != np.arange(number)) & (roll.random(number) < 0.2)
    mail[family_mail] = mail[home[family_mail]]
    tel = np.char.add("+49", roll.integers(1_500_000_000, 1_799_999_999, number).astype(str))
    recycled = np.flatnonzero(roll.random(number) < 0.005)
    tel[recycled] = tel[roll.integers(0, number, len(recycled))]
    sex = np.array(["male", "female"])[roll.integers(0, 2, number)]
    return {"first": first, "last": last, "born": day.astype(str), "gender": sex, "street": street,
            "zip": np.char.zfill((place * 33).astype(str), 5), "town": town, "mail": mail, "tel": tel}


def _settled(home: Ints) -> Ints:
    """Everybody of a household points at its first member."""
    while not (home[home] == home).all():
        home = home[home]
    return home


def _names(roll: np.random.Generator, number: int, syllables: int) -> Texts:
    found: dict[str, None] = {}
    while len(found) < number:
        parts = [ONSETS[roll.integers(len(ONSETS))] + VOWELS[roll.integers(len(VOWELS))] for _ in range(syllables)]
        found["".join(parts) + ENDS[roll.integers(len(ENDS))]] = None
    return np.array(list(found), dtype=object).astype(str)


def _zipf(roll: np.random.Generator, values: int, number: int) -> Ints:
    weight = 1 / (np.arange(values) + 10.0)
    return roll.choice(values, number, p=weight / weight.sum())


def _spoil(roll: np.random.Generator, columns: dict[str, Texts]) -> None:
    """Typing errors, values that moved on, and gaps; crossed names."""
    number = len(columns["first"])
    crossed = roll.random(number) < 0.01
    columns["first"][crossed], columns["last"][crossed] = columns["last"][crossed], columns["first"][crossed]
    for name in ("street", "tel", "mail"):
        moved = np.flatnonzero(roll.random(number) < 0.05)
        columns[name][moved] = columns[name][roll.integers(0, number, len(moved))] if name == "street" else ""
    for name, share in (("first", 0.06), ("last", 0.06), ("born", 0.03), ("street", 0.08), ("zip", 0.02), ("town", 0.05), ("mail", 0.04),
                        ("tel", 0.02)):
        for row in np.flatnonzero(roll.random(number) < share):
            columns[name][row] = _typo(roll, str(columns[name][row]), name in ("born", "zip", "tel"))
    for name in columns:
        columns[name] = columns[name].astype(object)
        gap = roll.random(number) < (0.3 if name in ("mail", "tel") else 0.03)
        columns[name][gap | (columns[name] == "")] = None


def _typo(roll: np.random.Generator, text: str, is_number: bool) -> str:
    at = int(roll.integers(len(text))) if text else 0
    letter = str(roll.integers(10)) if is_number else str(LETTERS[roll.integers(26)])
    kinds = (text[:at] + letter + text[at + 1:], text[:at] + text[at + 1:], text[:at] + letter + text[at:],
             text[:at] + text[at + 1:at + 2] + text[at:at + 1] + text[at + 2:])
    return kinds[0] if is_number else kinds[int(roll.integers(4))]
