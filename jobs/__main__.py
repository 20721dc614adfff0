"""The `concord` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run a command. One that should answer within a second does not wait for what all the others need."""
    if sys.argv[1:2] == ["where"]:
        from jobs.cli_where import main as run
    else:
        from jobs.cli import main as run
    run()


if __name__ == "__main__":
    main()
