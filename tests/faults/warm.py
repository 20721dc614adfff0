"""What every command of the platform imports, for the process that all of them are forked from; it starts no thread of ours."""

import importlib
import os
import pkgutil
import threading

import tqdm

import jobs.run
from tests.faults import command, points

__all__ = ["command", "points"]

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # Read when it is imported; jobs.check sets it before, too.
for name in ("jobs.cli", "great_expectations", "pysail.spark", "pyspark.sql.connect.session", "boto3",
             *(f"jobs.run.{module.name}" for module in pkgutil.iter_modules(jobs.run.__path__))):
    importlib.import_module(name)
tqdm.tqdm.set_lock(threading.RLock())  # Its own is a semaphore of the system, which a killed process would leave behind.
