"""URLs of the Django views. A pattern with `<tenant>` runs as that tenant (core.middleware)."""

from django.urls import path

from core import views
from core.admin import site

handler400 = views.bad_request
handler404 = views.not_found
handler500 = views.server_error

urlpatterns = [
    path("", views.index),
    path("healthz", views.healthz),
    path("readyz", views.readyz),
    path("admin/", site.urls),
    path("t/<str:tenant>/api/info", views.info),
    path("t/<str:tenant>/api/products", views.products),
    path("t/<str:tenant>/api/products.csv", views.products_csv),
    path("t/<str:tenant>/api/orders", views.orders),
    path("t/<str:tenant>/exports/<str:handle>", views.export),
]
