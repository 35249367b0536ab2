"""Serializers of Django REST framework: a duplicate inside a tenant is an answer, and no error of the server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import translation
from rest_framework import serializers

import rls
from core.models import OrderItem, Product, Tenant, TenantSettings, TenantUser
from tests.support.world import World, working

PRODUCT = {"sku": "T-1", "name": "Anvil", "price_minor": 1, "currency": "EUR"}


class ProductSerializer(serializers.ModelSerializer):
    class Meta:
        model = Product
        fields = ["sku", "name", "price_minor", "currency"]


class WholeProduct(serializers.ModelSerializer):
    class Meta:
        model = Product
        fields = "__all__"


class RenamedField(serializers.ModelSerializer):
    number = serializers.CharField(source="sku")

    class Meta:
        model = Product
        fields = ["number", "name", "price_minor", "currency"]


class ItemSerializer(serializers.ModelSerializer):
    class Meta:
        model = OrderItem
        fields = ["order", "product", "quantity", "price_minor", "currency"]


class SettingsSerializer(serializers.ModelSerializer):
    class Meta:
        model = TenantSettings
        fields = ["currency"]


class TenantSerializer(serializers.ModelSerializer):
    class Meta:
        model = Tenant
        fields = ["name", "subdomain"]


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


def errors(serializer: Any) -> Any:
    serializer.is_valid()
    return serializer.errors


@pytest.mark.parametrize(
    ("kind", "field"), [(ProductSerializer, "sku"), (WholeProduct, "sku"), (RenamedField, "number")]
)
def test_a_duplicate_is_an_error_of_its_field(acme: World, kind: Any, field: str) -> None:
    data = {field: "T-1", **{name: value for name, value in PRODUCT.items() if name != "sku"}}
    with rls.tenant_context(acme.id):
        first, second = kind(data=data), kind(data=data)
        assert first.is_valid(), first.errors
        first.save()

        assert errors(second) == {field: ["Product with this Sku already exists."]}
        assert second.errors[field][0].code == "unique"
        with pytest.raises(serializers.ValidationError):
            second.is_valid(raise_exception=True)


def test_what_another_tenant_has_is_no_duplicate(acme: World, globex: World) -> None:
    with rls.tenant_context(globex.id):
        Product.objects.create(**PRODUCT)

    with rls.tenant_context(acme.id):
        mine = ProductSerializer(data=PRODUCT)
        assert mine.is_valid(), mine.errors
        assert mine.save().tenant_id == acme.id


def test_a_change_is_compared_with_the_other_rows(acme: World) -> None:
    with rls.tenant_context(acme.id):
        one = Product.objects.create(**PRODUCT)
        Product.objects.create(**PRODUCT | {"sku": "T-2"})

        own = ProductSerializer(one, data=PRODUCT)
        assert own.is_valid(), own.errors
        taken = ProductSerializer(one, data={"sku": "T-2"}, partial=True)
        assert errors(taken) == {"sku": ["Product with this Sku already exists."]}
        assert ProductSerializer(one, data={"name": "Heavy"}, partial=True).is_valid()
        # Asking changes nothing.
        assert one.sku == "T-1"


def test_several_fields_are_an_error_of_the_whole(acme: World) -> None:
    with rls.tenant_context(acme.id):
        item = OrderItem.objects.get(id=acme.item_id)
        data = {"order": item.order_id, "product": item.product_id, "quantity": 1, "price_minor": 1, "currency": "EUR"}

        assert errors(ItemSerializer(data=data)) == {
            "non_field_errors": ["Order item with this Order and Product already exists."]
        }
        assert errors(SettingsSerializer(data={"currency": "EUR"})) == {
            "non_field_errors": ["Tenant settings with this Tenant already exists."]
        }


def test_many_rows_are_asked_one_by_one(acme: World) -> None:
    with rls.tenant_context(acme.id):
        Product.objects.create(**PRODUCT)
        found = errors(ProductSerializer(data=[PRODUCT, PRODUCT | {"sku": "T-2"}], many=True))

        assert found[0] == {"sku": ["Product with this Sku already exists."]}
        assert ProductSerializer(data=[PRODUCT | {"sku": "T-2"}, PRODUCT | {"sku": "T-3"}], many=True).is_valid()


def test_without_a_context_nothing_is_called_valid(database: str) -> None:
    with pytest.raises(rls.NoTenantContext):
        ProductSerializer(data=PRODUCT).is_valid()


def test_the_platform_asks_inside_the_tenant_of_the_row(acme: World, globex: World) -> None:
    class UserSerializer(serializers.ModelSerializer):
        tenant = serializers.PrimaryKeyRelatedField(queryset=Tenant.objects.all())

        class Meta:
            model = TenantUser
            fields = ["tenant", "username", "email"]

    with working():
        TenantUser.objects.create(tenant_id=globex.id, username="bob", email="bob@globex.example")
        data = {"username": "bob", "email": "bob@acme.example"}

        mine = UserSerializer(data={"tenant": acme.id, **data})
        assert mine.is_valid(), mine.errors
        assert not UserSerializer(data={"tenant": globex.id, **data}).is_valid()


def test_a_model_that_is_not_tenanted_is_left_to_the_serializer(acme: World) -> None:
    with working():
        assert errors(TenantSerializer(data={"name": "Acme", "subdomain": "acme"})) == {
            "subdomain": ["tenant with this subdomain already exists."]
        }
