"""`manage.py check`: what a model must be."""

from __future__ import annotations

from django.apps import apps
from django.core.checks import run_checks
from django.db import models
from django.test import override_settings
from django.test.utils import isolate_apps

from core.models import Product
from rls import checks
from rls.models import Tenanted


def ids(*found: object) -> list[str]:
    return [message.id for message in found]  # type: ignore[attr-defined]


def test_the_projects_own_models_are_in_order() -> None:
    assert run_checks(tags=["rls"]) == []


@isolate_apps("core")
def test_a_model_is_tenanted_or_shared_with_a_reason() -> None:
    class Loose(models.Model):
        class Meta:
            app_label = "core"

    [error] = checks._placement(Loose, {})

    assert error.id == "rls.E001"
    assert '"core.Loose": "<the reason>"' in error.hint
    assert ids(*checks._placement(Loose, {"core.Loose": " "})) == ["rls.E001"]
    assert ids(*checks._placement(Loose, {"core.Loose": "Exchange rates, public."})) == []
    assert ids(*checks._placement(Product, {"core.Product": "both"})) == ["rls.E001"]


def test_a_stale_reason_is_an_error(settings: object) -> None:
    with override_settings(RLS_SHARED_MODELS=settings.RLS_SHARED_MODELS | {"core.Gone": "was shared"}):  # type: ignore[attr-defined]
        assert ids(*checks.check_models(None)) == ["rls.E002"]


@isolate_apps("core")
def test_a_plain_foreign_key_between_tenanted_models_is_an_error() -> None:
    class Review(Tenanted):
        product = models.ForeignKey(apps.get_model("core.Product"), models.CASCADE)

        class Meta:
            app_label = "core"

    [error] = checks._relations(Review)

    assert error.id == "rls.E003"
    assert "(tenant_id, product_id) REFERENCES core_product (tenant_id, id)" in error.hint
