"""The endpoints of the authorization server: `path("", include("mcp_server.sign_in.urls"))`, at the root of the site,
where clients look for the metadata (RFC 8414, 3). A client that has kept its tokens and not the metadata refreshes them
at /token (MCP specification 2025-03-26, "Fallbacks for Servers without Metadata Discovery").
"""

from django.urls import path

from mcp_server.sign_in import entrance, views

app_name = "mcp_sign_in"
urlpatterns = [
    path(".well-known/oauth-authorization-server", views.metadata, name="metadata"),
    path("register", views.register, name="register"),
    path("authorize", views.authorize, name="authorize"),
    path("token", views.token, name="token"),
    path("revoke", views.revoke, name="revoke"),
    path("sign-in", entrance.sign_in, name="sign_in"),
]
