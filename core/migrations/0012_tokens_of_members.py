from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

from mcp_server.operations import InstallResolver


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [
        ("core", "0011_memberships"),
        ("mcp_tokens", "0003_tokens_of_members"),
    ]
    operations: ClassVar[list[Operation]] = [
        InstallResolver(
            tenant="core.Tenant",
            slug="subdomain",
            members="core.Membership",
            locale="core.TenantSettings.locale",
            time_zone="core.TenantSettings.time_zone",
            default_locale="zh-hant",
            default_time_zone="Asia/Taipei",
        ),
    ]
