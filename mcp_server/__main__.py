"""`python -m mcp_server`: the server, for operators.

DJANGO_SETTINGS_MODULE, HOST, PORT and WORKERS come from the environment. It serves the setting ASGI_APPLICATION.
"""

from __future__ import annotations

import os
import sys

import django
import environ
import uvicorn
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from django.utils.module_loading import import_string

from mcp_server.http import connections
from mcp_server.http.serve import CannotServe, application, require_free


def main() -> None:
    env = environ.Env()
    host, port, workers = (
        env.str("HOST", default="127.0.0.1"),
        env.int("PORT", default=8000),
        env.int("WORKERS", default=1),
    )
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        sys.exit("mcp_server: DJANGO_SETTINGS_MODULE is not set: name the settings of your project, as config.settings")
    try:
        require_free(host, port)
        django.setup()
        from django.conf import settings

        from mcp_server.app import check_database

        check_database()
        app = application()
        # Workers would each say in a traceback why they can't.
        import_string(settings.ASGI_APPLICATION)
    except (CannotServe, ImproperlyConfigured) as error:
        sys.exit(f"mcp_server: {error}")
    except OperationalError as error:
        sys.exit(f"mcp_server: the database does not answer: {error}")
    if workers > 1 and settings.MCP_SESSIONS == "stateful":
        sys.exit("mcp_server: MCP_SESSIONS=stateful keeps its sessions in one process: set WORKERS=1")
    uvicorn.run(app, host=host, port=port, workers=workers, **connections.OPTIONS)


if __name__ == "__main__":
    main()
