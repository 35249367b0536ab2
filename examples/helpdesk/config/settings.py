"""The settings of the helpdesk. Passwords and the place of the database are in the environment: see development.py."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]

INSTALLED_APPS = [
    "rls",
    "helpdesk",
    "mcp_server",
    "mcp_server.tokens",
    "mcp_server.ledger",
    "django.contrib.staticfiles",
]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
USE_TZ = True
STATIC_URL = "static/"


def database(role, engine="rls.backends.postgresql"):
    password = os.environ[f"{role.upper()}_PASSWORD"]
    return {"ENGINE": engine, "NAME": os.environ["PGDATABASE"], "USER": role, "PASSWORD": password}


DATABASES = {
    "default": database("app_tenant"),
    "platform": database("app_platform"),
    "owner": database("app_owner", engine="rls.backends.owner"),
}
DATABASE_ROUTERS = ["rls.router.RoleRouter"]
RLS_TENANT_MODEL = "helpdesk.Organisation"
RLS_SHARED_MODELS = {
    "helpdesk.Organisation": "The root of isolation.",
    "mcp_tokens.PlatformToken": "Belongs to the platform, whose endpoint is not served here.",
}
