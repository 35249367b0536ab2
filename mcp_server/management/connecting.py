"""How a client is connected, as lines for whoever runs the server."""

from __future__ import annotations

from django.utils.translation import gettext as _

from mcp_server.connect import clients
from mcp_server.connect.clients import Client, Server


def told(client: Client, server: Server) -> str:
    """What to do, in the installation's language."""
    guide = clients.guide(client, server)
    steps = [
        *(
            [f"{_('Put the token into the environment:')}\n\n{clients.export(server)}"]
            if guide.reads_environment
            else []
        ),
        *([_("One of these is enough.")] if len(guide.snippets) > 1 else []),
        *(f"{snippet.instruction}\n\n{snippet.text}" for snippet in guide.snippets),
    ]
    return "\n\n".join([client.label, *steps, *guide.notes])
