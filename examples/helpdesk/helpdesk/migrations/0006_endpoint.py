from django.db import migrations

from mcp_server.operations import InstallResolver


class Migration(migrations.Migration):
    dependencies = [("helpdesk", "0005_comment_isolation"), ("mcp_tokens", "0003_tokens_of_members")]
    operations = [InstallResolver(tenant="helpdesk.Organisation", slug="slug")]
