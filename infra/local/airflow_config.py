"""Airflow's settings for one machine: everything on loopback, everything in one private file, nothing in variables."""

from __future__ import annotations

import base64
import configparser
import json
import os
from pathlib import Path

HOST = "127.0.0.1"
FAB = "airflow.providers.fab.auth_manager"
BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"
LOOK_AGAIN_SECONDS = 300

Settings = dict[str, dict[str, object]]


def configuration(home: Path, dags: Path, port: int, fernet_key: str) -> Settings:
    """Settings by section. The port is loopback's; keys but the Fernet key are drawn anew at every start."""
    url = f"http://{HOST}:{port}"
    return _core(home, dags, url, fernet_key) | _parsing(dags) | {
        "api": {"host": HOST, "port": port, "workers": 1, "base_url": url, "secret_key": _random(32),
                "enable_swagger_ui": False, "expose_config": False},
        "api_auth": {"jwt_secret": _random(64), "jwt_issuer": "concord-local"},
        "scheduler": {"scheduler_idle_sleep_time": 0.2, "enable_health_check": False},
        "workers": {"min_heartbeat_interval": 1,
                    "secrets_backend": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
                    "secrets_backend_kwargs": json.dumps({"connections_file_path": str(home / "connections.json")})},
        "logging": {"colored_console_log": False},
        "fab": {"cache_ttl": 1},
    }


def write(home: Path, settings: Settings) -> None:
    """Write airflow.cfg, which only the owner may read."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_dict({section: {name: str(value).replace("%", "%%") for name, value in options.items()}
                      for section, options in settings.items()})
    path = home / "airflow.cfg"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        parser.write(file)
    (home / "plugins").mkdir(exist_ok=True)


def _core(home: Path, dags: Path, url: str, fernet_key: str) -> Settings:
    return {
        "core": {"auth_manager": f"{FAB}.fab_auth_manager.FabAuthManager", "executor": "LocalExecutor",
                 "parallelism": 4, "max_active_tasks_per_dag": 4, "load_examples": False,
                 "dags_are_paused_at_creation": True, "dags_folder": dags, "plugins_folder": home / "plugins",
                 "mp_start_method": "fork",
                 "execution_api_server_url": f"{url}/execution/", "fernet_key": fernet_key,
                 "min_serialized_dag_update_interval": 5},
        "database": {"sql_alchemy_conn": f"sqlite:///{home}/airflow.db",
                     "external_db_managers": f"{FAB}.models.db.FABDBManager"},
    }


def _parsing(dags: Path) -> Settings:
    bundle = {"name": "concord", "classpath": BUNDLE,
              "kwargs": {"path": str(dags), "refresh_interval": LOOK_AGAIN_SECONDS}}
    return {"dag_processor": {
        "dag_bundle_config_list": json.dumps([bundle]), "min_file_process_interval": LOOK_AGAIN_SECONDS,
        "refresh_interval": LOOK_AGAIN_SECONDS, "stale_dag_threshold": 3 * LOOK_AGAIN_SECONDS, "parsing_processes": 1,
        "print_stats_interval": 0}}


def _random(length: int) -> str:
    return base64.urlsafe_b64encode(os.urandom(length)).decode()
