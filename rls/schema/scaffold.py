"""`manage.py rls new`: the SQL files, their reverts and the migrations that models still lack."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import CommandError
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.models import ForeignKey, Model

from rls.checks.models import has_table, is_tenanted
from rls.checks.settings import tenant_model
from rls.checks.sql import key_of, lacks_index, required_key, required_keys, tenanted_tables
from rls.schema import removals, sql_files
from rls.schema.facts import Origin
from rls.schema.keys import TenantKey
from rls.schema.sql_files import Plan
from rls.schema.written import Written

MIGRATION_TEMPLATE = """\
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


def new(label: str) -> list[Path]:
    """Write what the model `label` ("helpdesk.Ticket") still lacks, after what its parents lack; return the paths.

    Raises CommandError, and writes nothing, where the model has no place under row-level security, where a step
    comes first, and where nothing is missing.
    """
    model = _model(label)
    draft = _draft()
    if not draft.lacks(model):
        draft.require_migrations(model)
        raise CommandError(f"{model._meta.label} lacks nothing: SQL files make its policies and keys already")
    draft.complete([model])
    return draft.write()


def new_all() -> list[Path]:
    """Write what each model still lacks, and what takes away first what a migration drops; return the paths, if any.

    Raises CommandError, and writes nothing, where a step comes first.
    """
    draft = _draft()
    root = tenant_model()
    models = [*([root] if root and has_table(root) else []), *tenanted_tables()]
    for model in models:
        draft.require_migrations(model)
    draft.remove()
    draft.complete(models)
    return draft.write()


@dataclass(slots=True)
class Draft:
    """Files that are to be written, and what the migrations will then have written."""

    loader: MigrationLoader
    found: Written
    number: int
    leaves: dict[str, str] = field(default_factory=dict)
    files: dict[Path, str] = field(default_factory=dict)
    changes: dict[Path, str] = field(default_factory=dict)

    def lacks(self, model: type[Model]) -> bool:
        return bool(self._plan(model))

    def require_migrations(self, model: type[Model]) -> None:
        """Raise CommandError where a migration is still to be made."""
        label = model._meta.label
        if key_of(model, self.found) is None:
            raise CommandError(f"no migration makes {label}: run makemigrations first")
        for field_ in _references(model):
            if required_key(field_, self.found) is None:
                raise CommandError(f"no migration makes {label}.{field_.name}: run makemigrations first")

    def complete(self, models: Iterable[type[Model]]) -> None:
        """Add what `models` lack, and their parents: first each without what it can't have yet, then the rest."""
        done: dict[type[Model], None] = {}
        for model in models:
            self._complete(model, done)
        # Models that refer to each other in a circle get here what the first round had to leave out.
        for model in done:
            self._add(model, self._plan(model))

    def remove(self) -> None:
        """Add what takes policies and keys away before an operation does."""
        names: dict[tuple[str, str], dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        for taken in self.found.taken:
            name = self._name(removals.subject(taken))
            self._add_sql(name, *removals.files(name, taken, directory()))
            names[taken.migration][taken.place].append(name)
        for migration, places in names.items():
            found = self.loader.disk_migrations[migration]
            path = Path(str(sys.modules[found.__module__].__file__))
            text = path.read_text(encoding="utf-8")
            self.changes[path] = removals.inserted(text, path, places, len(found.operations))
            del sys.modules[found.__module__]  # who reads the migrations next in this process reads the new text

    def write(self) -> list[Path]:
        write(self.files, self.changes)
        return [*self.files, *self.changes]

    def _complete(self, model: type[Model], done: dict[type[Model], None]) -> None:
        if model in done:
            return
        done[model] = None
        for parent in self._parents(model):
            self._complete(parent, done)
        plan = self._plan(model)
        # A parent that waits for this very table has its key later, and so has the constraint on it.
        plan.foreign_keys[:] = [
            key for key in plan.foreign_keys if key.parent == plan.table or key.parent_key in self.found.tenant_keys
        ]
        self._add(model, plan)

    def _parents(self, model: type[Model]) -> Iterator[type[Model]]:
        """The models that `model` refers to and whose tables can't be referred to yet."""
        for field_ in _references(model):
            key = required_key(field_, self.found)
            if key and key not in self.found.foreign_keys and key.parent_key not in self.found.tenant_keys:
                yield _model(field_.related_model._meta.label)

    def _plan(self, model: type[Model]) -> Plan:
        found = self.found
        own_key = key_of(model, found)
        if own_key is None:
            raise CommandError(f"no migration makes {model._meta.label}: run makemigrations first")
        is_root = not is_tenanted(model)
        needs_policies = own_key.table not in found.policies
        keys = [] if is_root else [required_key(field_, found) for field_ in _references(model)]
        # The key (tenant_id, id) serves twice: children refer to it, and as an index it starts with the tenant.
        is_needed = not is_root and (needs_policies or lacks_index(model, found) or _is_referred(own_key, found))
        return Plan(
            table=own_key.table,
            is_root=is_root,
            key_column=own_key.column,
            needs_policies=needs_policies,
            tenant_key=found.free(own_key) if is_needed and own_key not in found.tenant_keys else None,
            foreign_keys=[found.free(key) for key in keys if key and key not in found.foreign_keys],
        )

    def _add(self, model: type[Model], plan: Plan) -> None:
        if not plan:
            return
        name = self._name(plan.subject)
        origins = sql_files.origins(plan, self.found)
        text = sql_files.forward(name, plan, self.found)
        self._add_sql(name, text, sql_files.revert(name, plan))
        migration = self._add_migration(model, name, origins)
        self.found.take(text, Origin(migration, name))

    def _name(self, subject: str) -> str:
        name = f"{self.number:04d}_{subject}"
        self.number += 1
        return name

    def _add_sql(self, name: str, forward: str, revert: str) -> None:
        self.files[directory() / f"{name}.sql"] = forward
        self.files[directory() / f"{name}.revert.sql"] = revert

    def _add_migration(self, model: type[Model], file: str, origins: list[Origin]) -> tuple[str, str]:
        """The migration that runs `file`."""
        app_label = model._meta.app_label
        if app_label not in self.leaves:
            [(_, self.leaves[app_label])] = self.loader.graph.leaf_nodes(app_label)
        others = sorted({origin.migration for origin in origins if origin.migration[0] != app_label})
        dependencies = "\n".join(
            f'        ("{app}", "{migration}"),' for app, migration in [(app_label, self.leaves[app_label]), *others]
        )
        names = [name for app, name in self.loader.disk_migrations if app == app_label] + [self.leaves[app_label]]
        number = max(MigrationAutodetector.parse_number(name) or 0 for name in names) + 1
        name = f"{number:04d}_{model._meta.model_name}_isolation"
        module, _ = self.loader.migrations_module(app_label)
        folder = Path(str(import_module(str(module)).__file__)).parent
        self.files[folder / f"{name}.py"] = MIGRATION_TEMPLATE.format(dependencies=dependencies, name=file)
        self.leaves[app_label] = name
        return app_label, name


def migrations() -> MigrationLoader:
    """The migrations on disk. Raises CommandError where they have no common end."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    if conflicts := loader.detect_conflicts():
        app_label, names = next(iter(conflicts.items()))
        raise CommandError(
            f"{app_label} has several leaf migrations, {', '.join(names)}: run manage.py makemigrations --merge first"
        )
    return loader


def _draft() -> Draft:
    loader = migrations()
    found = Written.read(loader)
    if found.missing_files:
        raise CommandError(f"{found.missing_files[0].file}.sql is missing: restore it first")
    return Draft(loader, found, next_number())


def _model(label: str) -> type[Model]:
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        raise CommandError(f"there is no model {label}: name it as <app>.<Model>, such as helpdesk.Ticket") from None
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


def _references(model: type[Model]) -> list[ForeignKey[Any, Any]]:
    """The foreign keys of `model` to tenanted models."""
    return [
        field
        for field in model._meta.local_fields
        if isinstance(field, ForeignKey) and is_tenanted(field.related_model)
    ]


def _is_referred(key: TenantKey, found: Written) -> bool:
    return any(other.parent_key == key for _, other in required_keys(found))


def directory() -> Path:
    """Where the project's own SQL files are."""
    return Path(settings.BASE_DIR, "migrations_sql")


def next_number() -> int:
    """The number of the next SQL file."""
    numbers = [re.match(r"\d+", path.name) for path in directory().glob("*.sql")]
    return max((int(number[0]) for number in numbers if number), default=0) + 1


def write(files: dict[Path, str], changes: dict[Path, str] | None = None) -> None:
    """Write all of them or none; a new file that is there already is left alone.

    Raises CommandError where one can't be written.
    """
    written_paths: list[Path] = []
    before: dict[Path, bytes] = {}
    try:
        for path, text in files.items():
            path.parent.mkdir(exist_ok=True)
            with path.open("x", encoding="utf-8") as file:  # "x" raises where the file is there already
                written_paths.append(path)
                file.write(text)
        for path, text in (changes or {}).items():
            before[path] = path.read_bytes()
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        for path in written_paths:
            path.unlink()
        for path, content in before.items():
            path.write_bytes(content)
        raise CommandError(f"nothing was written: {error}") from error
