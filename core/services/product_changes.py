"""Making and changing products."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from core import amounts, formats
from core.models import MovementReason, Order, OrderStatus, Product
from core.services import products, search, settings, stock
from core.services.field_changes import FieldChange
from mcp_server import approval
from mcp_server.errors import Refusal


class SkuTaken(Refusal):
    """Another product has this sku."""


class ProductInvalid(Refusal):
    """The product would not be valid."""


@dataclass(frozen=True, slots=True)
class ProductChange:
    """A product as it is now, and its fields that have changed."""

    product: Product
    changes: list[FieldChange]


def create(
    *,
    sku: str,
    name: str,
    price: Decimal,
    actor: str,
    description: str = "",
    category: str = "",
    opening_stock: int = 0,
    reorder_level: int | None = None,
) -> Product:
    """A new product for sale, priced in the tenant's currency; its stock is the first movement of its ledger.

    Without a reorder level it gets the tenant's. A person is asked where the stock is above the tenant's cap.
    Raises ProductInvalid, SkuTaken, and AmountInvalid where the currency has no such price.
    """
    _check_sku(sku)
    _check_name(name)
    with transaction.atomic(savepoint=False):
        chosen = settings.lock()  # so that the currency stays what it is
        price_minor = amounts.minor(price, chosen.currency)
        stock.ask_above_cap(sku, opening_stock, cap=chosen.max_stock_change)
        try:
            with transaction.atomic():
                product = Product.objects.create(
                    sku=sku,
                    name=name,
                    description=description,
                    category=category.strip(),
                    price_minor=price_minor,
                    currency=chosen.currency,
                    reorder_level=chosen.low_stock_threshold if reorder_level is None else reorder_level,
                )
        except IntegrityError:
            raise SkuTaken(
                _(
                    "A product with the sku {sku} exists already. Call update_product to change it, or choose "
                    "another sku."
                ).format(sku=repr(sku))
            ) from None
        search.index(product)
        if opening_stock:
            stock.move({product: opening_stock}, reason=MovementReason.OPENING, actor=actor)
    return product


def update(
    sku: str,
    *,
    name: str | None = None,
    description: str | None = None,
    category: str | None = None,
    price: Decimal | None = None,
    reorder_level: int | None = None,
) -> ProductChange:
    """Change what is not None. A person is asked where the price changes by more than half.

    Raises ProductNotFound, ProductInvalid where there is nothing to change or the name is blank, and AmountInvalid
    where the product's currency has no such price.
    """
    given: dict[str, Any] = {
        "name": name,
        "description": description,
        "category": None if category is None else category.strip(),
        "price": price,
        "reorder_level": reorder_level,
    }
    wanted = {field: value for field, value in given.items() if value is not None}
    if not wanted:
        raise ProductInvalid(
            _("No changes were given. Call update_product with one or more of: {fields}.").format(
                fields=", ".join(given)
            )
        )
    if name is not None:
        _check_name(name)
    with transaction.atomic(savepoint=False):
        product = products.lock(sku)
        wanted = dict(_stored(field, value, product.currency) for field, value in wanted.items())
        before = {field: getattr(product, field) for field in wanted}
        changes = [
            FieldChange(field, before[field], value) for field, value in wanted.items() if before[field] != value
        ]
        if price is not None:
            _ask_about_price(product, wanted["price_minor"])
        for change in changes:
            setattr(product, change.field, change.after)
        product.save(update_fields=[change.field for change in changes])
        if not {"name", "category"}.isdisjoint(change.field for change in changes):
            search.index(product)
    return ProductChange(product, changes)


def set_active(sku: str, *, is_active: bool) -> ProductChange:
    """Put the product on sale, or take it off sale, which a person is asked about. Raises ProductNotFound."""
    with transaction.atomic(savepoint=False):
        product = products.lock(sku)
        if product.is_active == is_active:
            return ProductChange(product, [])
        if not is_active:
            drafts = Order.objects.filter(status=OrderStatus.DRAFT, items__product=product).count()
            approval.ask(
                _(
                    "Take {sku} {name} off sale? Draft orders that contain it, and can't be placed afterwards: "
                    "{drafts}."
                ).format(sku=product.sku, name=product.name, drafts=formats.number(drafts))
            )
        product.is_active = is_active
        product.save(update_fields=["is_active"])
    return ProductChange(product, [FieldChange("is_active", not is_active, is_active)])


def _stored(field: str, value: Any, currency: str) -> tuple[str, Any]:
    """The field of the model with its value; a price is kept in the minor unit."""
    return ("price_minor", amounts.minor(value, currency)) if field == "price" else (field, value)


def _ask_about_price(product: Product, price_minor: int) -> None:
    if abs(price_minor - product.price_minor) * 2 > product.price_minor:
        approval.ask(
            _("Change the price of {sku} {name} from {before} to {after}? That is more than half of it.").format(
                sku=product.sku,
                name=product.name,
                before=formats.money(product.price_minor, product.currency),
                after=formats.money(price_minor, product.currency),
            )
        )


def _check_sku(sku: str) -> None:
    if not (0 < len(sku) <= 64 and sku.isprintable() and sku == sku.strip()):
        raise ProductInvalid(_("A sku must have 1 to 64 printable characters, and must not begin or end with a space."))


def _check_name(name: str) -> None:
    if not name.strip():
        raise ProductInvalid(_("A product needs a name."))
