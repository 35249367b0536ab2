"""The address of an export's file, for a person's browser, which has no token: what is signed in it opens it."""

from __future__ import annotations

from urllib.parse import quote

from mcp_server.http.context import current_principal, current_root


def url(handle: str) -> str | None:
    """The address of the export with this handle at the caller's tenant; None where the server's own is not known."""
    root = current_root()
    return f"{root}/t/{quote(current_principal().slug)}/exports/{quote(handle)}" if root else None
