"""Profiles of de-identification: which treatment FHIR elements get, and which identifiers a product may tell of at all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml
from pydantic import Field, model_validator

from contracts.areas import Scheme
from contracts.places import near, read
from contracts.reading import ContractError
from contracts.table import Column, Frozen, Name, Table
from contracts.treatments import Area, Year
from contracts.vocabulary import Treatment

FOLDER = "profiles"
NONE = "none"  # What a column says that tells of no identifier.
# Treatments of what tells of somebody, whatever the column says.
TELLING = (Treatment.DATE_SHIFT, Treatment.YEAR, Treatment.AGE_BAND, Treatment.AREA, Treatment.PSEUDONYM, Treatment.MASK,
           Treatment.SCRUB)
OfElement = Literal["keep", "drop", "pseudonym", "year", "area", "scrub"]


class NotAllowed(ValueError):
    """A column under a treatment that a profile does not allow."""

    def __init__(self, column: str, said: str) -> None:
        super().__init__(f"column {column} {said}")
        self.column = column


class Fhir(Frozen):
    """Treatments of FHIR R4B resources: whole types of resources, data types, and single elements, which go before their type.

    ``forms``: how all of a kept element's text must be written. ``age_codes``, ``year_codes``: codes of observations that are an
    age or a year of birth.
    """

    resources: dict[str, Literal["reject"]]
    types: dict[str, OfElement]
    elements: dict[Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]*\.[a-z][A-Za-z]*$")], OfElement]
    forms: dict[str, str]
    age_codes: tuple[str, ...]
    year_codes: tuple[str, ...]

    @model_validator(mode="after")
    def _forms_are_of_kept_elements(self) -> Fhir:
        for place, form in self.forms.items():
            if self.elements.get(place) != "keep":
                raise ValueError(f"forms.{place} is of no use: elements does not keep it")
            try:
                re.compile(form)
            except re.error as error:
                raise ValueError(f"forms.{place} is no regular expression ({error})") from None
        return self

    def of(self, owner: str, element: str, type_: str, is_primitive: bool) -> Treatment:
        """The treatment of an element of a type; ``keep`` of a complex one means that it is looked into."""
        said = self.elements.get(f"{owner}.{element}") or self.types.get(type_)
        return Treatment(said or ("drop" if is_primitive else "keep"))


class Profile(Frozen):
    """A profile. ``oldest`` is the highest age, in years, that is told apart from higher ones."""

    id: Name
    name: str
    source: str
    oldest: Annotated[int, Field(ge=0, le=150)]
    area_scheme: Scheme
    identifiers: dict[Name, tuple[Treatment, ...]]
    fhir: Fhir

    @model_validator(mode="after")
    def _says_none_itself(self) -> Profile:
        if NONE in self.identifiers:
            raise ValueError(f"identifiers.{NONE} is what a column says that tells of none; take it out")
        return self


def profile(name: str, folders: tuple[Path, ...]) -> Profile:
    """The profile of that name in the folders of contracts, the last of which that has one counts. Raises ContractError."""
    known = _files(folders)
    if name not in known:
        raise ContractError(f"no profile is called {name!r}{near(name, known)}; there are {', '.join(sorted(known))}")
    path = known[name]
    try:
        data, places = read(path.read_text(encoding="utf-8"))
        made = Profile.model_validate(data)
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise ContractError(f"{path}:{line}: is not YAML ({getattr(error, 'problem', error)})") from None
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        at: tuple[Any, ...] = first["loc"]
        raise ContractError(f"{path}:{places.at(at)}: {'.'.join(map(str, at)) or 'profile'}: {first['msg']}") from None
    if made.id != name:
        raise ContractError(f"{path}:{places.at(['id'])}: id is {made.id}, the file is called {name}.yaml; make them the same")
    return made


def check(folders: tuple[Path, ...]) -> int:
    """Read every profile; how many there are. Raises ContractError for the first that is broken."""
    return len([profile(name, folders) for name in _files(folders)])


def _files(folders: tuple[Path, ...]) -> dict[str, Path]:
    return {path.stem: path for folder in folders for path in sorted((folder / FOLDER).glob("*.yaml"))}


def refuse_other_treatment(profile: Profile, table: Table, made_of: Table | None = None) -> None:
    """Raise NotAllowed unless every column says which identifier it tells of, under a treatment that the profile allows it.

    made_of: the product's table where ``table`` is an extract's; what that treated, and the extract keeps, counts as treated.
    """
    known = (*profile.identifiers, NONE)
    for column in table.columns:
        done = _treated_where(column, made_of)
        said = column.identifier
        if said not in known:
            wrong = f"has identifier {said}{near(said, known)}" if said else "says no identifier"
            raise NotAllowed(column.name, f"{wrong}; profile {profile.id} asks for one of {', '.join(known)}")
        if said == NONE and (column.type in ("date", "timestamp") or done.treatment in TELLING):
            raise NotAllowed(column.name, f"says that it tells of {NONE}, but is {column.type} under treatment {done.treatment}; "
                             f"profile {profile.id} asks for one of {', '.join(profile.identifiers)}")
        allowed = profile.identifiers.get(said)
        if allowed is not None and done.treatment not in allowed:
            instead = f"write {' or '.join(allowed)}" if allowed else "leave the column out"
            raise NotAllowed(column.name, f"tells of {said.replace('_', ' ')} under treatment {done.treatment}, which profile "
                             f"{profile.id} does not allow; {instead}")
        _refuse_other_options(profile, done)


def _treated_where(column: Column, made_of: Table | None) -> Column:
    """The column that says what was done: an extract's own, or the product's where the extract keeps it."""
    if made_of is None or column.treatment is not Treatment.KEEP:
        return column
    return made_of.column(column.name)


def _refuse_other_options(profile: Profile, column: Column) -> None:
    options = column.treatment_options
    if isinstance(options, Area) and options.scheme != profile.area_scheme:
        raise NotAllowed(column.name, f"is cut to areas of scheme {options.scheme}; profile {profile.id} asks for "
                         f"{profile.area_scheme}")
    if isinstance(options, Year) and (options.oldest is None or options.oldest > profile.oldest):
        raise NotAllowed(column.name, f"keeps years of people older than {profile.oldest}; profile {profile.id} asks for "
                         f"treatmentOptions {{oldest: {profile.oldest}}}")
