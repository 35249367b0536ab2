from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from mcp_server.operations import InstallResolver


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [
        ("core", "0008_lists_of_tenants"),
        ("mcp_tokens", "0002_narrower_tokens"),
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
    ]
