"""`manage.py rls grant`: the SQL file, its revert and the migration that let the platform's role use a shared table."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.management.base import CommandError
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.models import Model

from rls.checks import shared
from rls.checks.models import is_tenanted
from rls.checks.settings import tenant_model
from rls.checks.shared import SharedTable
from rls.schema import scaffold
from rls.schema.granted import Granted
from rls.schema.keys import plain, quoted

# Who works with a table of whom else; the log of the admin grows and is never rewritten.
RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
APPEND_ONLY_RIGHTS = {"django_admin_log": ("SELECT", "INSERT")}

# The tables in which a file declares what it grants.
AUDIT_MIGRATION = ("rls", "0002_audit")

# As `createcachetable` makes it, which leaves alone what is there.
CACHE_TABLE_TEMPLATE = """\
CREATE TABLE IF NOT EXISTS {table} (
    cache_key varchar(255) NOT NULL PRIMARY KEY,
    value text NOT NULL,
    expires timestamp with time zone NOT NULL
);
CREATE INDEX IF NOT EXISTS {index} ON {table} (expires);"""

DECLARE_TEMPLATE = """\
INSERT INTO app.declared_grants (object, role_name, privileges, reason) VALUES
{rows}
ON CONFLICT (object, role_name) DO UPDATE SET privileges = EXCLUDED.privileges, reason = EXCLUDED.reason;"""


def grant(labels: Sequence[str], *, tenants_read: bool = False) -> list[Path]:
    """Write what the shared models named by `labels` ("auth.User") lack; without labels, what each and the caches lack.

    Returns the paths of the new files. With `tenants_read` the serving role may read the tables too.

    Raises CommandError, and writes nothing, where a model is not shared, where a step comes first, and where a model
    that was named lacks nothing.
    """
    loader = scaffold.migrations()
    found = Granted.read(loader)
    lacking: dict[str, list[SharedTable]] = defaultdict(list)
    needed: dict[str, set[str]] = defaultdict(set)
    models = [_model(label, found) for label in labels] or list(shared.shared_models())
    for model in models:
        tables = shared.lacking(model, found)
        if labels and not tables:
            raise CommandError(f"{model._meta.label} lacks nothing: SQL files grant its tables already")
        if tables:
            home = _home(model._meta.app_label, loader)
            lacking[home] += tables
            needed[home].add(model._meta.app_label)
    if not labels and (caches := shared.lacking_caches(found)):
        lacking[_home(None, loader)] += caches
    files: dict[Path, str] = {}
    for number, (app_label, tables) in enumerate(lacking.items(), start=scaffold.next_number()):
        subject = plain(tables[0].name) if len(tables) == 1 else "shared_tables"
        name = f"{number:04d}_{subject}_rights"
        files |= {
            scaffold.directory() / f"{name}.sql": forward(name, tables, tenants_read=tenants_read),
            scaffold.directory() / f"{name}.revert.sql": revert(name, tables),
            **_migration(name, app_label, needed[app_label], loader),
        }
    scaffold.write(files)
    return list(files)


def forward(name: str, tables: Sequence[SharedTable], *, tenants_read: bool = False) -> str:
    """The SQL file that grants `tables`."""
    number, _, subject = name.partition("_")
    new, renamed = _by_kind(tables)
    holds = "the platform's role works with these tables, and what it may do there is declared"
    readers = "the serving role reads them" if tenants_read else "the serving role has no right on them"
    parts = [
        _comment(
            f"{number} {subject}: who may use what tenants have in common",
            f"Afterwards {holds}; {readers}." if new else "Afterwards what is declared has the tables' names of today.",
            "Needs: 0003_audit. Proved by: manage.py rls audit.",
        )
    ]
    if renamed:
        parts.append("\n".join(_follow(table.former, table.name) for table in renamed if table.former))
    parts += [
        CACHE_TABLE_TEMPLATE.format(table=quoted(table.name), index=quoted(f"{table.name}_expires"))
        for table in new
        if table.is_cache
    ]
    for rights in dict.fromkeys(_rights(table) for table in new):
        names = [quoted(table.name) for table in new if _rights(table) == rights]
        if rights != RIGHTS:
            parts.append("-- It grows and is never rewritten.")
        parts.append(f"GRANT {', '.join(rights)} ON{_list(names)} TO app_platform;")
    rows = [_row(table, "app_platform", _rights(table)) for table in new]
    if new and tenants_read:
        parts.append(f"GRANT SELECT ON{_list([quoted(table.name) for table in new])} TO app_tenant;")
        rows += [_row(table, "app_tenant", ("SELECT",)) for table in new]
    if rows:
        parts.append(DECLARE_TEMPLATE.format(rows=",\n".join(rows)))
    return "\n\n".join(parts).replace("rewritten.\n\nGRANT", "rewritten.\nGRANT") + "\n"


def revert(name: str, tables: Sequence[SharedTable]) -> str:
    """The SQL file that takes it back."""
    number, _, subject = name.partition("_")
    new, renamed = _by_kind(tables)
    lines = [_comment(f"Reverts {number} {subject}: nobody but the owner has a right on the tables.")]
    if not new:
        lines = [_comment(f"Reverts {number} {subject}: what is declared has the tables' former names.")]
    lines += [f"DELETE FROM app.declared_grants WHERE object = {_object(table.name)};" for table in new]
    if kept := [quoted(table.name) for table in new if not table.is_cache]:
        lines.append(f"REVOKE ALL ON{_list(kept)} FROM app_tenant, app_platform;")
    lines += [f"DROP TABLE {quoted(table.name)};" for table in new if table.is_cache]
    lines += [_follow(table.name, table.former) for table in reversed(renamed) if table.former]
    return "\n".join(lines) + "\n"


def _model(label: str, found: Granted) -> type[Model]:
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        raise CommandError(f"there is no model {label}: name it as <app>.<Model>, such as auth.User") from None
    label = model._meta.label
    if is_tenanted(model) or model is tenant_model():
        raise CommandError(f"{label} is not a shared model: manage.py rls new {label} writes its rights")
    if isinstance(model._meta.auto_created, type):
        model = model._meta.auto_created
        label = model._meta.label
    if model not in list(shared.shared_models()):
        raise CommandError(f'{label} is not shared: add "{label}": "<the reason>" to RLS_SHARED_MODELS first')
    if not found.tables(model._meta.app_label, str(model._meta.model_name)):
        raise CommandError(f"no migration makes {label}: run makemigrations first")
    return model


def _home(app_label: str | None, loader: MigrationLoader) -> str:
    """The app whose migrations grant: the model's own where it is the project's, else that of the tenant model."""
    root = tenant_model()
    for label in (app_label, root._meta.app_label if root else None):
        if label is not None and _is_own(label, loader):
            return label
    raise CommandError("the app of RLS_TENANT_MODEL has no migrations in this project: run makemigrations first")


def _is_own(app_label: str, loader: MigrationLoader) -> bool:
    """Whether the migrations of the app stand in the project, and not in a package that somebody else ships."""
    if app_label not in loader.migrated_apps or not loader.graph.leaf_nodes(app_label):
        return False
    base, directory = Path(settings.BASE_DIR).resolve(), _migrations(app_label, loader).resolve()
    return directory.is_relative_to(base) and {"site-packages", "dist-packages"}.isdisjoint(directory.parts)


def _migrations(app_label: str, loader: MigrationLoader) -> Path:
    module, _ = loader.migrations_module(app_label)
    return Path(str(import_module(str(module)).__file__)).parent


def _migration(name: str, app_label: str, needed: Iterable[str], loader: MigrationLoader) -> dict[Path, str]:
    """The path and the text of the migration of `app_label` that runs the file `name`, after those that make tables."""
    [leaf] = loader.graph.leaf_nodes(app_label)
    others = {leaf for label in needed if label != app_label for leaf in loader.graph.leaf_nodes(label)}
    dependencies = [leaf, *sorted({*others, AUDIT_MIGRATION})]
    lines = "\n".join(f'        ("{app}", "{migration}"),' for app, migration in dependencies)
    names = [other for app, other in loader.disk_migrations if app == app_label]
    number = max(MigrationAutodetector.parse_number(other) or 0 for other in names) + 1
    path = _migrations(app_label, loader) / f"{number:04d}_{name.partition('_')[2]}.py"
    return {path: scaffold.MIGRATION_TEMPLATE.format(dependencies=lines, name=name)}


def _by_kind(tables: Sequence[SharedTable]) -> tuple[list[SharedTable], list[SharedTable]]:
    """Those that nobody may use yet, and those that have got another name."""
    return [table for table in tables if not table.former], [table for table in tables if table.former]


def _rights(table: SharedTable) -> tuple[str, ...]:
    return APPEND_ONLY_RIGHTS.get(table.name, RIGHTS)


def _row(table: SharedTable, role: str, rights: Sequence[str]) -> str:
    reason = " ".join(table.reason.split()).replace("'", "''")
    return f"    ({_object(table.name)}, '{role}', '{{{','.join(rights)}}}', '{reason}')"


def _object(table: str) -> str:
    """The table as the audit names it, which quotes less than `quoted`."""
    schema, _, name = table.rpartition(".")
    if quoted(table) == table:
        return f"'{schema or 'public'}.{name}'"
    return f"format('%I.%I', '{schema or 'public'}', '{name}')"


def _follow(old: str, new: str) -> str:
    return (
        f"-- rls: renamed {old} to {new}\n"
        f"UPDATE app.declared_grants SET object = {_object(new)} WHERE object = {_object(old)};"
    )


def _list(names: Sequence[str]) -> str:
    return f" {names[0]}" if len(names) == 1 else "\n    " + ",\n    ".join(names) + "\n   "


def _comment(*lines: str) -> str:
    return "\n".join(
        textwrap.fill(line, 117, initial_indent="-- ", subsequent_indent="-- ", break_long_words=False)
        for line in lines
    )
