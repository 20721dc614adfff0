"""Profiles of de-identification: which treatment FHIR elements get, and which identifiers a product may tell of at all."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml
from pydantic import Field, model_validator

from contracts.areas import Scheme
from contracts.places import near, read
from contracts.reading import ContractError
from contracts.table import Frozen, Name, Table
from contracts.vocabulary import Treatment

FOLDER = "profiles"
NONE = "none"  # What a column says that tells of no identifier.
OfElement = Literal["keep", "drop", "pseudonym", "year", "area"]


class NotAllowed(ValueError):
    """A column under a treatment that a profile does not allow."""

    def __init__(self, column: str, said: str) -> None:
        super().__init__(f"column {column} {said}")
        self.column = column


class Fhir(Frozen):
    """Treatments of FHIR R4B resources: whole types of resources, data types, and single elements, which go before their type."""

    resources: dict[str, Literal["reject"]]
    types: dict[str, OfElement]
    elements: dict[Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]*\.[a-z][A-Za-z]*$")], OfElement]
    age_codes: tuple[str, ...]

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
    known = {path.stem: path for folder in folders for path in sorted((folder / FOLDER).glob("*.yaml"))}
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


def refuse_other_treatment(profile: Profile, table: Table) -> None:
    """Raise NotAllowed unless every column says which identifier it tells of, under a treatment that the profile allows it."""
    known = (*profile.identifiers, NONE)
    for column in table.columns:
        said = column.identifier
        if said not in known:
            wrong = f"has identifier {said}{near(said, known)}" if said else "says no identifier"
            raise NotAllowed(column.name, f"{wrong}; profile {profile.id} asks for one of {', '.join(known)}")
        allowed = profile.identifiers.get(said)
        if allowed is not None and column.treatment not in allowed:
            instead = f"write {' or '.join(allowed)}" if allowed else "leave the column out"
            raise NotAllowed(column.name, f"tells of {said.replace('_', ' ')} under treatment {column.treatment}, which profile "
                             f"{profile.id} does not allow; {instead}")
        scheme = getattr(column.treatment_options, "scheme", profile.area_scheme)
        if scheme != profile.area_scheme and said != NONE:
            raise NotAllowed(column.name, f"is cut to areas of scheme {scheme}; profile {profile.id} asks for "
                             f"{profile.area_scheme}")
