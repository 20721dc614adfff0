"""Tables that somebody wrote to past the platform: which they are, and the two ways out, each of them audited."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from contracts import catalog
from jobs import stamps
from jobs.errors import ConfigurationError
from jobs.lake import Lake
from jobs.run.gated import gate
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings


def overview(settings: Settings) -> list[dict[str, Any]]:
    """Every table that there is: table, version, when it was written last (UTC), and the foreign commit that stands in it
    (version, operation, engine, at), None where there is none."""
    lake = Lake(settings.lake_root, catalog().tables)
    histories = {name: lake.history(name) for name in sorted(catalog().tables)}
    newest = {name: (stamps.changes(history) or history)[0] for name, history in histories.items() if history}
    return [{"table": name, "version": entry["version"], "at": stamps.moment(entry), "by_hand": _foreign(lake, name)}
            for name, entry in newest.items()]


def restore(settings: Settings, name: str) -> Report:
    """Put a table back to what our newest commit made of it; what was written by hand stays in its history.

    Raises ConfigurationError where nothing was written by hand, or nothing by us.
    """
    with open_shell(settings, "restore", name, with_engine=False) as shell:
        _written(shell, name)
        ours = next((e["version"] for e in shell.lake.history(name)
                     if e.get("operation") not in stamps.CARE and stamps.note(e) is not None), None)
        if ours is None:
            raise ConfigurationError(f"no commit of {name} is ours, so there is nothing to put back; take it over (concord table "
                                     f"accept {name} --because ...)")
        shell.lake.restore(name, ours)
        shell.report.change(name)
        shell.report.facts = {"table": name, "restored": ours}
        return shell.report


def accept(settings: Settings, name: str, because: str) -> Report:
    """Take over what was written by hand, if the gate of the table's contract lets it in; the reason is audited.

    Raises ConfigurationError where nothing was written by hand, GateFailed where it breaks an expectation.
    """
    with open_shell(settings, "accept", name, with_engine=True) as shell:
        written = _written(shell, name)["version"]
        newest = shell.lake.history(name)[0]["version"]
        gate(shell, f"by_hand.{name}.{written}", shell.lake.read(name, newest), shell.lake.contract(name), datetime.now(UTC))
        shell.lake.accept(name, newest)
        shell.report.change(name)
        shell.report.facts = {"table": name, "accepted": written, "because": because}
        return shell.report


def _written(shell: Shell, name: str) -> dict[str, Any]:
    found = _foreign(shell.lake, name)
    if found is None:
        raise ConfigurationError(f"nobody wrote to {name} by hand; there is nothing to do")
    return found


def _foreign(lake: Lake, name: str) -> dict[str, Any] | None:
    strange = lake.foreign(name)
    return strange and {"version": strange["version"], "operation": strange.get("operation"),
                        "engine": strange.get("engineInfo"), "at": stamps.moment(strange)}
