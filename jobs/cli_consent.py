"""`concord consent`: decisions of consents that lie in files."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from jobs.errors import ConfigurationError

app = typer.Typer(no_args_is_help=True, help="Consent: decide from FHIR files.")


@app.callback()
def consent() -> None:
    """Consent: decide from FHIR files."""


@app.command()
def decide(bundle: Annotated[Path, typer.Argument(help="FHIR R4 Bundle: Consents and whom they refer to; - is standard input.")],
           request: Annotated[Path, typer.Argument(help="Context of the CDS Hook patient-consent-consult.")],
           at: Annotated[str, typer.Option(help="The moment to decide for, ISO 8601 with an offset; now if none.")] = "",
           ) -> None:
    """What the consents of BUNDLE say to REQUEST, as JSON: decision, obligations, because.

    Example: concord consent decide bundle.json request.json --at 2026-11-01T12:00:00Z
    """
    from jobs.fhir.bundle import Bundle
    from jobs.fhir.consult import decide as run
    from jobs.fhir.request import read_request

    try:
        asked = read_request(_json(request))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the request'}: {e['msg']}"
                          for e in error.errors(include_input=False, include_url=False, include_context=False))
        raise ConfigurationError(f"{request.name} is no context of patient-consent-consult: {wrong}") from None
    typer.echo(json.dumps(run(Bundle(_json(bundle)), asked, _moment(at)).document(), indent=2))


def _json(path: Path) -> Any:
    try:
        return json.loads(sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8") from None
    except RecursionError:
        raise ConfigurationError(f"{path} is nested too deep to be read") from None
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"{path} is no JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None


def _moment(text: str) -> datetime:
    if not text:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError("--at is no ISO 8601 date and time; write for example 2026-11-01T12:00:00Z") from None
    if moment.tzinfo is None:
        raise ConfigurationError("--at has no offset; write for example 2026-11-01T12:00:00Z")
    return moment
