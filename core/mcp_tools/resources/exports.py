"""Exports: what export_tenant_data has made."""

from __future__ import annotations

import json
from typing import Annotated

from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.mcp_tools import downloads
from core.scopes import Scope
from core.services import exports
from mcp_server.declare.arguments import Argument
from mcp_server.declare.resources import JSON, Content, resource
from mcp_server.http.context import current_principal

# A larger file would be more than an answer may be (see mcp_server.call.sizes); its URL gives it piece by piece.
MAX_EMBEDDED_BYTES = 2**15


@resource(
    "export://{id}",
    title=_("Export"),
    description=_(
        "All data of this tenant in a file that export_tenant_data has made: its download link, and its "
        "content if it is 32 KiB or less."
    ),
    scope=Scope.EXPORTS_WRITE,
)
def export(
    id: Annotated[
        str, Argument(_("The part after export:// in the link that export_tenant_data returned."), is_secret=True)
    ],
) -> list[Content]:
    found = exports.open(id)
    facts = {
        "format": found.format,
        "rows": found.row_count,
        "bytes": found.byte_count,
        "file_name": exports.file_name(found, current_principal().slug),
        "media_type": exports.media_type(found),
        "expires_at": timezone.localtime(found.expires_at),
        "time_zone": timezone.get_current_timezone_name(),
        "url": downloads.url(id),
    }
    contents = [Content(json.dumps(facts, cls=DjangoJSONEncoder), JSON)]
    if found.byte_count <= MAX_EMBEDDED_BYTES:
        data = b"".join(exports.part(found, number) for number in exports.part_numbers(found))
        contents.append(Content(data, exports.media_type(found)))
    return contents
