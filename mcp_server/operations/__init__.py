"""Migration operations that write, for a project's own models, the SQL that the server stands on.

The texts are in `mcp_server/sql/`. What an operation runs is seen with `manage.py sqlmigrate`, and in psql.
"""

from mcp_server.operations.announce import Announce
from mcp_server.operations.resolver import InstallResolver

__all__ = ["Announce", "InstallResolver"]
