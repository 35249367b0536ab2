"""The isolation audit, for whoever operates the platform."""

from __future__ import annotations

from django.db import OperationalError, ProgrammingError, connections
from django.utils.translation import gettext as _

from mcp_server.errors import Refusal
from rls import audit
from rls.audit import Finding

AUDITOR_ALIAS = "auditor"
PSQL_COMMAND = 'psql "$AUDITOR_DATABASE_URL" -f migrations_sql/audit.sql'


class AuditUnavailable(Refusal):
    """The audit can't be run from here."""


def findings() -> list[Finding]:
    """Every way in which isolation is weaker than it was built, errors first; none where it is whole.

    It reads the catalog as app_auditor, who sees no tenant's row. Raises AuditUnavailable: this process has no
    connection as that role, or the audit is not installed.
    """
    if AUDITOR_ALIAS not in connections:
        raise AuditUnavailable(
            _(
                "This server has no connection as app_auditor, the only role that runs the audit. Set "
                "AUDITOR_DATABASE_URL where the server is started, or run in a shell: {command}"
            ).format(command=PSQL_COMMAND)
        )
    try:
        return audit.run(AUDITOR_ALIAS)
    except OperationalError as error:
        raise AuditUnavailable(
            _(
                "The database does not answer app_auditor. Check AUDITOR_DATABASE_URL, or run in a shell: {command}"
            ).format(command=PSQL_COMMAND)
        ) from error
    except ProgrammingError as error:
        raise AuditUnavailable(
            _("The audit is not installed in this database. Run `manage.py migrate`, then call again.")
        ) from error
