"""URLs of the Django views. A pattern with `<tenant>` runs as that tenant (core.middleware).

`/healthz` and `/readyz` are answered before a URL is looked up (core.probes).
"""

from django.conf import settings
from django.urls import include, path

from core import accounts, views
from core.admin import site
from mcp_server.sign_in import entrance

handler400 = views.bad_request
handler404 = views.not_found
handler500 = views.server_error

urlpatterns = [
    path("", views.index),
    path("admin/", site.urls),
    path("accounts/login/", entrance.sign_in, name="sign_in"),
    path("accounts/logout/", accounts.leave, name="sign_out"),
    path("accounts/tokens/", accounts.own_tokens, name="own_tokens"),
    path("t/<str:tenant>/api/info", views.info),
    path("t/<str:tenant>/api/products", views.products),
    path("t/<str:tenant>/api/products.csv", views.products_csv),
    path("t/<str:tenant>/api/orders", views.orders),
    path("t/<str:tenant>/exports/<str:handle>", views.export),
]
if settings.MCP_AUTH == "sign-in":
    urlpatterns.append(path("", include("mcp_server.sign_in.urls")))
