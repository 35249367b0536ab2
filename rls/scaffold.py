"""`manage.py rls new`: the SQL file, its revert and the migration that a model still lacks."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import CommandError
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.models import ForeignKey, Model

from rls import written
from rls.checks import has_table, is_tenanted
from rls.keys import TenantForeignKey, TenantKey, plain, quoted
from rls.policies import policies
from rls.setup_checks import tenant_model
from rls.sql_checks import key_of, required_key, required_keys
from rls.written import Origin, Written

RIGHTS = "SELECT, INSERT, UPDATE, DELETE"

# The functions that policies call, and the tables in which a file declares.
LIBRARY = Origin(("rls", "0002_audit"), "0003_audit")

ROOT_RIGHTS = """\
INSERT INTO app.declared_grants (object, role_name, privileges, reason) VALUES
    ('{table}', 'app_tenant', '{{SELECT}}', 'A tenant reads its own row; the platform makes and suspends tenants.');"""

ROOT_REVERT = "DELETE FROM app.declared_grants WHERE object = '{table}';"

MIGRATION = """\
from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from rls.operations import RunSQLFile


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [
{dependencies}
    ]
    operations: ClassVar[list[Operation]] = [
        RunSQLFile("{name}"),
    ]
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a model lacks: its policies, the key that others refer to, and foreign keys."""

    table: str
    is_root: bool
    key_column: str
    needs_policies: bool
    tenant_key: TenantKey | None
    foreign_keys: list[TenantForeignKey]

    @property
    def subject(self) -> str:
        """What the file is about, as a part of its name."""
        if self.needs_policies:
            return plain(self.table)
        columns = [key.column for key in self.foreign_keys]
        what = columns[0] if len(columns) == 1 and self.tenant_key is None else "keys" if columns else "tenant_key"
        return plain(f"{self.table}_{what}")


def new(label: str) -> list[Path]:
    """Write what the model `label` ("core.Product") still lacks; return the paths of the new files.

    Raises CommandError, and writes nothing, where the model has no place under row-level security, where a step
    comes first, and where nothing is missing.
    """
    model = _model(label)
    loader = MigrationLoader(None, ignore_no_migrations=True)
    if conflicts := loader.detect_conflicts():
        app_label, names = next(iter(conflicts.items()))
        raise CommandError(
            f"{app_label} has several leaf migrations, {', '.join(names)}: run manage.py makemigrations --merge first"
        )
    found = written.read(loader)
    if found.missing_files:
        raise CommandError(f"{found.missing_files[0].file}.sql is missing: restore it first")
    plan = _plan(model, found)
    number = _next_number()
    name = f"{number:04d}_{plan.subject}"
    files = {
        _directory() / f"{name}.sql": _forward(name, plan, found),
        _directory() / f"{name}.revert.sql": _revert(name, plan),
        **_migration(model, name, _origins(plan, found), loader),
    }
    _write(files)
    return list(files)


def _model(label: str) -> type[Model]:
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        raise CommandError(f"there is no model {label}: say <app>.<Model>, such as core.Product") from None
    label = model._meta.label
    if model is tenant_model():
        return model
    if label in getattr(settings, "RLS_SHARED_MODELS", {}):
        raise CommandError(f"{label} is shared (RLS_SHARED_MODELS): it has no policies")
    if not is_tenanted(model):
        raise CommandError(f"{label} is not tenanted: derive it from rls.models.Tenanted first")
    if not has_table(model) or model._meta.parents:
        raise CommandError(f"{label} has no table of its own: name the model that has it")
    return model


def _plan(model: type[Model], found: Written) -> Plan:
    label = model._meta.label
    own_key = key_of(model, found)
    if own_key is None:
        raise CommandError(f"no migration makes {label}: run makemigrations first")
    is_root = not is_tenanted(model)
    needs_policies = own_key.table not in found.policies
    keys = {} if is_root else {field.name: required_key(field, found) for field in _references(model)}
    plan = Plan(
        table=own_key.table,
        is_root=is_root,
        key_column=own_key.column,
        needs_policies=needs_policies,
        tenant_key=own_key if _needs_key(own_key, found, is_new=needs_policies and not is_root) else None,
        foreign_keys=[
            key for key in keys.values() if key and key not in found.foreign_keys and not _is_circular(key, found)
        ],
    )
    if not (plan.needs_policies or plan.tenant_key or plan.foreign_keys):
        waiting = [name for name, key in keys.items() if key is None]
        if waiting:
            raise CommandError(f"no migration makes {label}.{waiting[0]}: run makemigrations first")
        raise CommandError(f"{label} lacks nothing")
    _require_parents(model, plan, found)
    return plan


def _references(model: type[Model]) -> list[ForeignKey[Any, Any]]:
    """The foreign keys of `model` to tenanted models."""
    return [
        field
        for field in model._meta.local_fields
        if isinstance(field, ForeignKey) and is_tenanted(field.related_model)
    ]


def _needs_key(key: TenantKey, found: Written, *, is_new: bool) -> bool:
    referred = any(other.parent_key == key for _, other in required_keys(found))
    return (is_new or referred) and key not in found.tenant_keys


def _is_circular(key: TenantForeignKey, found: Written) -> bool:
    """Whether the parent waits for the child's own key: then the child goes first, without this constraint."""
    waits = {
        (other.table, other.parent) for _, other in required_keys(found) if other.parent_key not in found.tenant_keys
    }
    reached = {key.parent}
    while more := {parent for child, parent in waits if child in reached} - reached:
        reached |= more
    return key.table != key.parent and {(key.table, key.parent)} <= waits and key.table in reached


def _require_parents(model: type[Model], plan: Plan, found: Written) -> None:
    for field in _references(model):
        key = required_key(field, found)
        if key is None or key not in plan.foreign_keys or key.parent == plan.table:
            continue
        if key.parent_key not in found.tenant_keys:
            parent = field.related_model._meta.label
            raise CommandError(
                f"{parent} has no UNIQUE (tenant_id, {key.parent_column}) yet: run manage.py rls new {parent} first"
            )


def _directory() -> Path:
    return Path(settings.BASE_DIR, "migrations_sql")


def _next_number() -> int:
    numbers = [re.match(r"\d+", path.name) for path in _directory().glob("*.sql")]
    return max((int(number[0]) for number in numbers if number), default=0) + 1


def _origins(plan: Plan, found: Written) -> list[Origin]:
    """The files that must have run before: those of the parents, else the library's."""
    keys = dict.fromkeys(key.parent_key for key in plan.foreign_keys)
    parents = [found.tenant_keys[key] for key in keys if key in found.tenant_keys]
    own = LIBRARY if plan.needs_policies else found.policies[plan.table]
    return list(dict.fromkeys(parents or [own]))


def _forward(name: str, plan: Plan, found: Written) -> str:
    table = quoted(plan.table)
    parts = [_header(name, plan, found)]
    if plan.needs_policies:
        parts.append(policies(table, quoted(plan.key_column) if plan.is_root else "tenant_id").rstrip())
    if plan.tenant_key:
        parts.append(
            "-- What children refer to: a foreign key check bypasses policies, so the key itself holds the tenant.\n"
            + plan.tenant_key.add
        )
    parts += [key.add for key in plan.foreign_keys]
    if plan.needs_policies and plan.is_root:
        parts.append(f"GRANT SELECT ON {table} TO app_tenant;\nGRANT {RIGHTS} ON {table} TO app_platform;")
        parts.append(ROOT_RIGHTS.format(table=_in_schema(table)))
    elif plan.needs_policies:
        parts.append(f"GRANT {RIGHTS} ON {table} TO app_tenant, app_platform;")
    return "\n\n".join(parts) + "\n"


def _header(name: str, plan: Plan, found: Written) -> str:
    number, _, subject = name.partition("_")
    if not plan.needs_policies:
        title = "keys that hold the tenant"
        holds = "what refers to a row is of its tenant" if plan.tenant_key else ""
        holds = "what a row refers to is of its own tenant" if plan.foreign_keys else holds
    elif plan.is_root:
        title, holds = "the root of isolation", "a tenant sees its own row of this table and can change nothing in it"
    else:
        title, holds = "tenant isolation", "a row is visible and writable only inside its own tenant"
        holds += ", and what it refers to is of that tenant" if plan.foreign_keys else ""
    needs = ", ".join(sorted(origin.file for origin in _origins(plan, found)))
    lines = [f"{number} {subject}: {title}", f"Afterwards {holds}.", f"Needs: {needs}. Proved by: manage.py rls audit."]
    return "\n".join(wrapped for line in lines for wrapped in _comment(line))


def _comment(line: str) -> list[str]:
    return textwrap.wrap(line, 117, initial_indent="-- ", subsequent_indent="-- ", break_long_words=False)


def _in_schema(table: str) -> str:
    """As the audit writes it."""
    return table if "." in table else f"public.{table}"


def _revert(name: str, plan: Plan) -> str:
    number, _, subject = name.partition("_")
    table = quoted(plan.table)
    gone = "no policy is left, so nobody but a superuser sees a row" if plan.needs_policies else "the keys are gone"
    lines = [f"-- Reverts {number} {subject}: {gone}."]
    lines += [key.drop for key in reversed(plan.foreign_keys)]
    if plan.tenant_key:
        lines.append(plan.tenant_key.drop)
    if plan.needs_policies:
        if plan.is_root:
            lines.append(ROOT_REVERT.format(table=_in_schema(table)))
        lines.append(f"REVOKE ALL ON {table} FROM app_tenant, app_platform;")
        names = re.findall(r"CREATE POLICY (\w+)", policies(table))
        lines += [f"DROP POLICY {policy} ON {table};" for policy in reversed(names)]
    return "\n".join(lines) + "\n"


def _migration(model: type[Model], name: str, origins: list[Origin], loader: MigrationLoader) -> dict[Path, str]:
    """The path and the text of the migration that runs the file `name`."""
    app_label = model._meta.app_label
    [leaf] = loader.graph.leaf_nodes(app_label)
    others = sorted({origin.migration for origin in origins if origin.migration[0] != app_label})
    dependencies = "\n".join(f'        ("{app}", "{migration}"),' for app, migration in [leaf, *others])
    number = (MigrationAutodetector.parse_number(leaf[1]) or 0) + 1
    module, _ = loader.migrations_module(app_label)
    directory = Path(str(import_module(str(module)).__file__)).parent
    path = directory / f"{number:04d}_{model._meta.model_name}_isolation.py"
    return {path: MIGRATION.format(dependencies=dependencies, name=name)}


def _write(files: dict[Path, str]) -> None:
    """All of them or none; a file that is there already is left alone."""
    written_paths: list[Path] = []
    try:
        for path, text in files.items():
            path.parent.mkdir(exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                written_paths.append(path)
                file.write(text)
    except OSError as error:
        for path in written_paths:
            path.unlink()
        raise CommandError(f"nothing was written: {error}") from error
