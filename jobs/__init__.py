"""Concord's jobs: PySpark over Spark Connect, and the `concord` command that runs them."""
