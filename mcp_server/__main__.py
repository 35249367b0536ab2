"""`python -m mcp_server`: the server, for operators.

DJANGO_SETTINGS_MODULE, HOST, PORT and WORKERS come from the environment. It serves the setting ASGI_APPLICATION.
"""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        sys.exit("mcp_server: DJANGO_SETTINGS_MODULE is not set: name the settings of your project, as config.settings")
    # What is imported stays until the end. To look for garbage in it takes a seventh of the start, and each full
    # collection afterwards five times as long.
    gc.disable()
    import uvicorn
    from django.core.exceptions import ImproperlyConfigured
    from django.db import OperationalError

    from mcp_server import startup
    from mcp_server.http import connections
    from mcp_server.http.serve import MAX_WORKERS, CannotServe, address, number, require_free

    try:
        (host, port), workers = address(), number("WORKERS", 1, most=MAX_WORKERS)
        require_free(host, port)
        app = _prepared(workers)
    except (CannotServe, ImproperlyConfigured, OperationalError) as error:
        sys.exit(f"mcp_server: {startup.sentence(error) or error}")
    gc.freeze()
    gc.enable()
    uvicorn.run(app, host=host, port=port, workers=workers, **connections.UVICORN_OPTIONS)


def _prepared(workers: int) -> str:
    """The application, as uvicorn names it, after all that can be found wrong before a connection is accepted."""
    import django

    django.setup()

    from mcp_server import configuration
    from mcp_server.app import check_database, mounted
    from mcp_server.http.serve import CannotServe, application

    if workers > 1 and configuration.has_sessions():
        raise CannotServe("MCP_SESSIONS=stateful keeps its sessions in one process: set WORKERS=1")
    check_database()
    app = application()
    for mcp in mounted():
        mcp.prepare()
    return app


if __name__ == "__main__":
    main()
