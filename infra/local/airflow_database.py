"""Airflow's database before its services start: its tables, roles, users, and what an earlier run left unfinished."""

from __future__ import annotations

from typing import Any

ANSWER = {("can_edit", "HITL Detail")}
ROLES = {("can_read", "Users")}
OVERRIDE = {(action, thing) for action in ("can_create", "can_edit", "can_delete")
            for thing in ("Task Instances", "HITL Detail", "Assets", "XComs")} | {
    ("can_edit", "DAG Runs"), ("can_delete", "DAG Runs"), ("can_delete", "DAGs")}


def prepare(users: dict[str, dict[str, str]]) -> None:
    """Make or upgrade the tables, then the users (password and role by name), then queue again what was unfinished."""
    from airflow.utils import db

    db.initdb()
    add_users(users)
    resume()


def add_users(users: dict[str, dict[str, str]]) -> None:
    """Make roles and users, or give those that exist the password they should have.

    An Engineer starts runs but cannot answer approvals nor overrule what tasks did; an Officer answers approvals and
    cannot start runs, so that nobody approves what they asked for. An Officer may read users, so that Airflow confirms
    their role to whoever asks with their token; so may our service, which asks whether who answered is an officer.
    """
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        manager = builder.sm
        stock = {role["role"]: set(role["perms"]) for role in manager.ROLE_CONFIGS}
        manager.bulk_sync_roles([{"role": "Engineer", "perms": sorted(stock["User"] - OVERRIDE)},
                                 {"role": "Officer", "perms": sorted(stock["Viewer"] | ANSWER | ROLES)},
                                 {"role": "Service", "perms": sorted(stock["Viewer"] | ROLES)}])
        for name, account in users.items():
            role, mail = manager.find_role(account["role"]), f"{name}@concord.invalid"
            if user := manager.find_user(name):
                manager.reset_password(user.id, account["password"])
            elif not manager.add_user(name, name, "local", mail, role, account["password"]):
                raise SystemExit(f"Airflow's user {name} could not be made")


def resume() -> None:
    """Queue again the last run of each DAG where it failed or was cut off, so that no change is left unnoticed."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    with create_session() as session:
        last = select(func.max(DagRun.id)).group_by(DagRun.dag_id)
        for run in session.scalars(select(DagRun).where(DagRun.state.in_(("running", "failed")))).all():
            if run.state == "running" or run.id in session.scalars(last).all():
                _clear(run, session)


def _clear(run: Any, session: Any) -> None:
    from airflow.models.taskinstance import clear_task_instances

    kept = ("success", "skipped", "removed", "awaiting_input", None)
    instances = [instance for instance in run.task_instances if instance.state not in kept]
    for instance in instances:
        instance.state = "failed"
    clear_task_instances(instances, session)
