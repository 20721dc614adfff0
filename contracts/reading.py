"""One contract file: text, YAML, the Open Data Contract Standard's model; or a refusal with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydantic
import yaml
from open_data_contract_standard.model import OpenDataContractStandard

from contracts.places import Places, near, read
from contracts.promises import unkept

Steps = tuple[str | int, ...]


class ContractError(ValueError):
    """A contract that is refused: which file, which line or path, what is wrong, what to write instead."""


def text(path: Path) -> str:
    """What a file says. Raises ContractError where it cannot be read or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[:error.start].count(b"\n") + 1
        raise ContractError(f"{path}:{line}: is not UTF-8; save the file as UTF-8") from None
    except OSError as error:
        raise ContractError(f"{path}:1: cannot be read ({error.strerror}); name a contract's YAML file") from None


def yaml_of(path: Path, said: str) -> tuple[Any, Places]:
    """The data of a file, and where in it each part stands. Raises ContractError."""
    try:
        return read(said)
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise ContractError(f"{path}:{line}: is not YAML ({getattr(error, 'problem', error)}); compare it with a "
                            "contract beside it, quotes and indentation first") from None


def odcs_of(path: Path, data: Any, places: Places) -> OpenDataContractStandard:
    """The contract in the standard's own model, nothing in it that nobody keeps. Raises ContractError."""
    if not isinstance(data, dict):
        raise ContractError(f"{path}:1: is not a mapping; a contract begins with apiVersion: v3.1.0")
    for key, value in {"apiVersion": "v3.1.0", "kind": "DataContract"}.items():
        if data.get(key) != value:
            raise ContractError(f"{path}:{places.at([key])}: {key} is {data.get(key)!r}; write {key}: {value}")
    try:
        contract = OpenDataContractStandard(**data)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        steps = tuple(s for s in first["loc"] if not isinstance(s, str) or s[:1].islower())
        if first["type"] == "extra_forbidden":
            known = [f.alias or n for n, f in OpenDataContractStandard.model_fields.items()]
            raise _strange(path, places, steps, known) from None
        raise ContractError(f"{path}:{places.at(steps)}: {'.'.join(map(str, steps))}: {first['msg']}") from None
    unknown = _unknown_keys(data, contract, ())
    if unknown:
        raise _strange(path, places, *unknown)
    for place, said in unkept(data, path.resolve().parent.name):
        raise ContractError(f"{path}:{places.at(place)}: {said}")
    if contract.id != path.stem:
        raise ContractError(f"{path}:{places.at(['id'])}: id is {contract.id!r} but the file is called {path.stem}.yaml; "
                            "make them the same")
    return contract


def _strange(path: Path, places: Places, steps: Steps, known: list[str]) -> ContractError:
    key = str(steps[-1])
    hint = "; quote the expression, it holds a comma" if ")" in key else near(key, known)
    return ContractError(f"{path}:{places.at(steps)}: {'.'.join(map(str, steps))} is not a key of the Open Data Contract "
                         f"Standard 3.1{hint}; take it out, or write it as a customProperties entry that Concord knows")


def _unknown_keys(data: Any, model: Any, place: Steps) -> tuple[Steps, list[str]] | None:
    """The path of the first key that the model does not have, and those it has; None when it has all."""
    if isinstance(data, list) and isinstance(model, list):
        pairs = [(d, m, (*place, i)) for i, (d, m) in enumerate(zip(data, model, strict=True))]
    elif isinstance(data, dict) and isinstance(model, pydantic.BaseModel):
        names = {(f.alias or n): n for n, f in type(model).model_fields.items()}
        strange = [k for k in data if k not in names]
        if strange:
            return (*place, str(strange[0])), list(names)
        pairs = [(v, getattr(model, names[k]), (*place, k)) for k, v in data.items()]
    else:
        return None
    for below, its_model, where in pairs:
        found = _unknown_keys(below, its_model, where)
        if found:
            return found
    return None
