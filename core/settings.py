"""Django settings. Everything that differs between installations comes from the environment, typed.

What has no safe default has none: a process without SECRET_KEY or DATABASE_URL stops with a sentence.
`manage.py` and `make run` fill both for development from `.local/` (see `core.development.environment`).
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from core import defaults, roles, variables, zones
from core.variables import env
from mcp_server.limits.rules import Limits

zones.use_packaged_rules()

BASE_DIR = Path(__file__).resolve().parent.parent
variables.read_file()

# What was signed with a former key is accepted; nothing new is signed with it.
SECRET_KEY = variables.secret("SECRET_KEY")
SECRET_KEY_FALLBACKS = variables.former_secrets("SECRET_KEY_FALLBACKS")
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# How a caller proves who it is at /mcp/<tenant>/: "token"; "oauth", by a token of an identity provider or one of ours;
# "sign-in", by one of ours, which a client also gets by sending its person to sign in here; or "public", for a server
# without any secret data.
MCP_AUTH = variables.choice("MCP_AUTH", default="token", among=["token", "oauth", "sign-in", "public"])
# For "oauth": whose tokens are taken; their audience where it is not the tenant's URL, and the claim with the tenants;
# the client that asks the only issuer about each token.
MCP_OAUTH_ISSUERS = env.list("MCP_OAUTH_ISSUERS", default=[])
MCP_OAUTH_AUDIENCE = env.str("MCP_OAUTH_AUDIENCE", default="")
MCP_OAUTH_TENANT_CLAIM = env.str("MCP_OAUTH_TENANT_CLAIM", default="")
MCP_OAUTH_CLIENT_ID = env.str("MCP_OAUTH_CLIENT_ID", default="")
MCP_OAUTH_CLIENT_SECRET = env.str("MCP_OAUTH_CLIENT_SECRET", default="")
# For whom a token may be made besides a tenant, and what it may do at most.
MCP_MEMBER_MODEL = "core.Membership"
MCP_ROLES = roles.SCOPES_OF_ROLES
# "stateless": any worker serves any request. "stateful": sessions and SSE, for one worker.
MCP_SESSIONS = env.str("MCP_SESSIONS", default="stateless")
# Whose pages may call /mcp from a browser, as `https://app.example.com`.
MCP_ALLOWED_ORIGINS = env.list("MCP_ALLOWED_ORIGINS", default=[])
# How much is taken from whom: rates, and how many messages of a tenant one process has under way; 0 for any number.
MCP_LIMIT_TENANT = variables.rate("MCP_LIMIT_TENANT", default=Limits.tenant)
MCP_LIMIT_PRINCIPAL = variables.rate("MCP_LIMIT_PRINCIPAL", default=Limits.principal)
MCP_LIMIT_FAILED_LOGINS = variables.rate("MCP_LIMIT_FAILED_LOGINS", default=Limits.failed_logins)
MCP_LIMIT_AT_ONCE = variables.number("MCP_LIMIT_AT_ONCE", default=Limits.at_once, least=0)
# Where all processes together count: a Redis. Without one each process counts by itself.
CACHES = {"default": variables.cache("CACHE_URL")}
# Where Prometheus asks the first process what it counts, as "9464"; the next ones are at the next ports.
MCP_METRICS = env.str("MCP_METRICS", default="")
# The address that clients use, where it is not this machine's.
PUBLIC_URL = env.str("PUBLIC_URL", default="")

INSTALLED_APPS = [
    "rls",
    "core",
    "mcp_server",
    "mcp_server.tokens",
    "mcp_server.ledger",
    "mcp_server.sign_in",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "core.probes.probes",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "core.middleware.PrincipalMiddleware",
    "core.storable.storable",
]

ROOT_URLCONF = "core.urls"
ASGI_APPLICATION = "core.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


# Connections that one process opens for each role. The executor of tools is as wide as the first, so no tool waits.
DATABASE_POOL_SIZE = variables.number("DATABASE_POOL_SIZE", default=10, least=1)


# Of libpq: a host that has gone without a word is noticed by the kernel. What else is silent: Note [Silence].
NETWORK: dict[str, Any] = {
    "connect_timeout": 3,
    "tcp_user_timeout": 5000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
}


def _database(variable: str, engine: str, *, pool_size: int = 0) -> dict[str, Any]:
    database = variables.database(variable, engine)
    # What the URL asks for in its query, such as sslmode, goes to libpq.
    options = dict(database.get("OPTIONS", {}))
    if pool_size:
        options = NETWORK | options
        # What is not used for half a minute is closed: the roles have few connections for all processes together.
        # Whoever waits for one is answered within 10 s.
        options["pool"] = {"min_size": 1, "max_size": pool_size, "timeout": 8, "max_idle": 30, "reconnect_timeout": 8}
    return {**database, "OPTIONS": options, "CONN_MAX_AGE": 0}


# Three roles of one database: see rls.router. A serving process needs no owner, so it need not know its password.
DATABASES = {
    "default": _database("DATABASE_URL", "rls.backends.postgresql", pool_size=DATABASE_POOL_SIZE),
    "platform": _database("PLATFORM_DATABASE_URL", "rls.backends.postgresql", pool_size=3),
}
if variables.is_set("OWNER_DATABASE_URL"):
    DATABASES["owner"] = _database("OWNER_DATABASE_URL", "rls.backends.owner")
if variables.is_set("AUDITOR_DATABASE_URL"):
    DATABASES["auditor"] = _database("AUDITOR_DATABASE_URL", "django.db.backends.postgresql")
DATABASE_ROUTERS = ["rls.router.RoleRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

RLS_TENANT_MODEL = "core.Tenant"
RLS_SHARED_MODELS = {
    "core.Tenant": "The root of isolation: its own policy shows a tenant its own row.",
    "mcp_tokens.PlatformToken": "Belongs to the platform; app_tenant has no right on it.",
    "mcp_sign_in.Client": "Programs that register before a tenant is known; app_tenant has no right on it.",
    "mcp_sign_in.Consent": "Its code is exchanged before a tenant is known; app_tenant has no right on it.",
    "admin.LogEntry": "Staff of the platform; app_tenant has no right on it.",
    "auth.Group": "Staff of the platform; app_tenant has no right on it.",
    "auth.Group_permissions": "Staff of the platform; app_tenant has no right on it.",
    "auth.Permission": "Staff of the platform; app_tenant has no right on it.",
    "auth.User": "Staff of the platform; app_tenant has no right on it.",
    "auth.User_groups": "Staff of the platform; app_tenant has no right on it.",
    "auth.User_user_permissions": "Staff of the platform; app_tenant has no right on it.",
    "contenttypes.ContentType": "Names of models; app_tenant has no right on it.",
    "sessions.Session": "Staff of the platform; app_tenant has no right on it.",
}

# Where somebody goes who has signed in at /accounts/login/.
LOGIN_REDIRECT_URL = "/accounts/tokens/"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = variables.choice("LANGUAGE_CODE", default=defaults.LOCALE, among=list(defaults.Locale))
LANGUAGES = defaults.LANGUAGES
LOCALE_PATHS = [BASE_DIR / "core" / "locale"]
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "core.date_formats"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https:")
X_FRAME_OPTIONS = "DENY"

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "core.logs.JSONFormatter"}},
    "filters": {
        "request": {"()": "mcp_server.logs.OfRequest"},
        "seldom": {"()": "core.logs.Seldom"},
        "anticipated": {"()": "core.logs.Anticipated"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["request"]}},
    # One cut ends every connection of a process.
    "loggers": {
        **{
            name: {"filters": ["seldom"]}
            for name in (
                "rls.backends.lost",
                "psycopg.pool",
                "mcp_server.watch.feed",
                "mcp_server.oauth.server",
                "mcp_server.oauth.keys",
            )
        },
        "django.request": {"filters": ["anticipated"]},
    },
    "root": {
        "handlers": ["stderr"],
        "level": variables.choice("LOG_LEVEL", default="INFO", among=logging.getLevelNamesMapping()),
    },
}
