"""From contracts to Great Expectations."""

from pathlib import Path

EXTRA = Path(__file__).parent / "extra"  # Suites of what a contract cannot say, by table: <table>.json
