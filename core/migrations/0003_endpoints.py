from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from mcp_server.operations import Announce, InstallResolver


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [
        ("core", "0002_isolation"),
        ("mcp_server", "0001_change_notifications"),
        ("mcp_tokens", "0001_tokens"),
    ]
    operations: ClassVar[list[Operation]] = [
        InstallResolver(
            tenant="core.Tenant",
            slug="subdomain",
            locale="core.TenantSettings.locale",
            time_zone="core.TenantSettings.time_zone",
            default_locale="zh-hant",
            default_time_zone="Asia/Taipei",
        ),
        Announce("core.Tenant"),
        Announce("core.TenantSettings"),
        Announce("core.Product"),
        Announce("core.Order"),
    ]
