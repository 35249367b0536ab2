"""The part of docs/how-to/connect-a-client.md that `mcp_server.connect.clients` writes.

python -m tests.support.snippets    # writes it
"""

from __future__ import annotations

import os
from pathlib import Path

import django
from django.utils import translation

from mcp_server.connect import clients
from mcp_server.connect.clients import Client, Guide, Server

PAGE = Path("docs/how-to/connect-a-client.md")
BEGINNING, END = "<!-- snippets -->\n", "<!-- end of snippets -->\n"
ACME = Server.at("https://shop.example.com/mcp/acme/", "acme")


def written() -> str:
    """What stands between the marks. The language has to be English."""
    return "\n".join(_section(clients.guide(client, ACME)) for client in Client)


def kept() -> str:
    """What stands there now."""
    return PAGE.read_text(encoding="utf-8").partition(BEGINNING)[2].partition(END)[0]


def _section(guide: Guide) -> str:
    parts = [f"## {guide.client.label}"]
    if len(guide.snippets) > 1:
        parts.append("One of these is enough.")
    parts += [f"{each.instruction}\n\n```text\n{each.text}\n```" for each in guide.snippets]
    return "\n\n".join([*parts, *guide.notes]) + "\n"


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    translation.activate("en")
    before, _, after = PAGE.read_text(encoding="utf-8").partition(BEGINNING)
    PAGE.write_text(before + BEGINNING + written() + END + after.partition(END)[2], encoding="utf-8")
