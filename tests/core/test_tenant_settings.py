"""What a tenant chooses for itself: values that hold, caps that a person raises, one row."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import psycopg
import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from core.amounts import AmountInvalid
from core.models import Order, TenantSettings
from core.services import product_changes, settings, tenants
from core.services.settings import SettingsInvalid
from rls import tenant_context
from tests.support.approvals import Declined, agreeing, declining
from tests.support.world import World, working

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


def test_settings_are_those_of_the_tenant_in_one_statement(acme: World, globex: World) -> None:
    with tenant_context(globex.id):
        settings.change(low_stock_threshold=9)

    with tenant_context(acme.id):
        with CaptureQueriesContext(connection) as statements:
            chosen = settings.get()

        assert (chosen.currency, chosen.low_stock_threshold) == ("EUR", 5)
        assert len(statements) == 1


def test_a_tenant_without_a_row_has_the_defaults_until_it_is_locked(acme: World, admin: psycopg.Connection) -> None:
    admin.execute("DELETE FROM core_tenantsettings")

    with tenant_context(acme.id):
        chosen = settings.get()
        with transaction.atomic():
            locked = settings.lock()

        assert (chosen.currency, locked.currency) == ("TWD", "TWD")
        assert TenantSettings.objects.count() == 1


def test_one_at_a_time_holds_the_lock(acme: World, admin: psycopg.Connection) -> None:
    """Eight callers count up; without the lock, or with two rows, counts would be lost."""
    admin.execute("DELETE FROM core_tenantsettings")
    callers = 8
    together = Barrier(callers)

    def count_up(_: int) -> None:
        try:
            with tenant_context(acme.id):
                together.wait(timeout=300)
                with transaction.atomic():
                    row = settings.lock()
                    row.low_stock_threshold += 1
                    row.save()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(callers) as threads:
        list(threads.map(count_up, range(callers)))

    with tenant_context(acme.id):
        assert settings.get().low_stock_threshold == 5 + callers


def test_what_is_given_changes_and_the_rest_stays(acme: World) -> None:
    with tenant_context(acme.id):
        change = settings.change(locale="zh-hant", time_zone="Asia/Taipei", max_discount_percent=5, currency="EUR")
        unchanged = settings.change()

        assert change.changed == ["locale", "time_zone", "max_discount_percent"]
        assert unchanged.changed == []
        assert (settings.get().time_zone, settings.get().max_stock_change) == ("Asia/Taipei", 1000)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"locale": "fr"}, "The locale must be one of: zh-hant, en."),
        ({"time_zone": "Taipei"}, "There is no time zone 'Taipei'. Did you mean 'Asia/Taipei'?"),
        ({"time_zone": "Europe/Brelin"}, "Did you mean 'Europe/Berlin'?"),
        ({"time_zone": "localtime"}, "There is no time zone 'localtime'."),
        ({"currency": "eur"}, "There is no currency 'eur'. Use the three letters of ISO 4217"),
        ({"currency": "ＥＵＲ"}, "There is no currency 'ＥＵＲ'. Use the three letters of ISO 4217"),
        ({"currency": "usd"}, "such as TWD or EUR. Did you mean USD?"),
        ({"currency": "NT$"}, "such as TWD or EUR. Did you mean TWD?"),
        ({"currency": "DEM"}, "There is no currency 'DEM'. Use the three letters of ISO 4217"),
        ({"currency": "HRK"}, "There is no currency 'HRK'. Use the three letters of ISO 4217"),
        ({"currency": "XAU"}, "Nobody pays in XAU: ISO 4217 has it for accounts, metals or tests. Use the three"),
        ({"currency": "XTS"}, "Nobody pays in XTS: ISO 4217 has it for accounts, metals or tests. Use the three"),
        ({"currency": "USN"}, "Nobody pays in USN: ISO 4217 has it for accounts, metals or tests. Use the three"),
        ({"currency": "CLF"}, "Nobody pays in CLF: ISO 4217 has it for accounts, metals or tests. Use the three"),
        ({"currency": "USD"}, "The currency can't be changed any more"),
        ({"max_discount_percent": 101}, "max_discount_percent must be a number from 0 to 100."),
    ],
)
def test_a_value_that_is_none_is_refused(choices: Any, words: str, acme: World) -> None:
    with tenant_context(acme.id):
        with pytest.raises(SettingsInvalid) as error:
            settings.change(low_stock_threshold=1, **choices)

        assert words in str(error.value)
        assert settings.get().low_stock_threshold == 5


def test_raised_caps_are_asked_for_together(acme: World) -> None:
    caps = {"max_discount_percent": 20, "max_order": Decimal(100_000), "max_stock_change": 5000}
    with tenant_context(acme.id):
        with declining() as asked:
            with pytest.raises(Declined):
                settings.change(**caps)  # type: ignore[arg-type]  # each is a number
            assert settings.get().max_discount_percent == 10
        with agreeing():
            settings.change(**caps)  # type: ignore[arg-type]  # each is a number

        assert asked == [
            "Raise the largest discount that an assistant may give without asking from 10% to 20%? "
            "Raise the largest order that an assistant may place without asking from €50,000.00 to €100,000.00? "
            "Raise the largest stock change that an assistant may make without asking from 1,000 to 5,000 units?"
        ]
        assert settings.get().max_order_minor == 10_000_000


def test_a_lowered_cap_is_not_asked_for(acme: World) -> None:
    with tenant_context(acme.id), declining() as asked:
        settings.change(max_discount_percent=0, max_order=Decimal(0), max_stock_change=0)

        assert asked == []
        assert settings.get().max_stock_change == 0


@pytest.mark.django_db
def test_an_empty_shop_changes_its_currency_when_a_person_agrees() -> None:
    with working():
        tenant_id = tenants.create(subdomain="new", name="New", locale="en").id

    with tenant_context(tenant_id):
        with agreeing() as asked:
            settings.change(currency="JPY")
        product = product_changes.create(sku="B-1", name="Thing", price=Decimal(500), actor="mei")

        assert asked == [
            "Change the currency of this shop from TWD to JPY? The largest order that an assistant may place without "
            "asking is then JP¥50,000; it is NT$50,000 now."
        ]
        assert (product.currency, product.price_minor) == ("JPY", 500)


@pytest.fixture
def empty_shop() -> Iterator[None]:
    """The context of a shop without products and orders: in TWD, with a largest order of NT$50,000."""
    with working():
        tenant_id = tenants.create(subdomain="new", name="New", locale="en").id
    with tenant_context(tenant_id):
        yield


@pytest.mark.parametrize(
    ("currency", "minor", "shown"),
    [
        ("JPY", 50_000, "JP¥50,000"),
        ("HUF", 5_000_000, "HUF\u00a050,000"),
        ("USD", 5_000_000, "US$50,000.00"),
        ("KWD", 50_000_000, "KWD\u00a050,000.000"),
    ],
)
def test_a_new_currency_carries_the_largest_order_along(
    currency: str, minor: int, shown: str, empty_shop: None
) -> None:
    with agreeing() as asked:
        change = settings.change(currency=currency)

    assert change.changed[0] == "currency"
    assert settings.get().max_order_minor == minor
    assert asked[0].endswith(f"is then {shown}; it is NT$50,000 now.")
    with agreeing() as asked:
        settings.change(currency="TWD")
    assert settings.get().max_order_minor == 5_000_000
    assert asked[0].endswith(f"is then NT$50,000; it is {shown} now.")


def test_a_largest_order_is_in_the_currency_that_is_given_with_it(empty_shop: None) -> None:
    with agreeing() as asked:
        change = settings.change(currency="JPY", max_order=Decimal(60_000))

    assert change.changed == ["currency", "max_order"]
    assert (settings.get().currency, settings.get().max_order_minor) == ("JPY", 60_000)
    assert asked == [
        "Change the currency of this shop from TWD to JPY? The largest order that an assistant may place without "
        "asking is then JP¥60,000; it is NT$50,000 now."
    ]


def test_an_amount_that_the_new_currency_does_not_have_is_not_rounded(empty_shop: None) -> None:
    settings.change(max_order=Decimal("480.50"))

    with agreeing() as asked, pytest.raises(SettingsInvalid) as refusal:
        settings.change(currency="JPY")

    assert str(refusal.value) == (
        "The largest order that an assistant may place without asking is NT$480.50, which is no amount of JPY. "
        "Call again with max_order too, in JPY."
    )
    assert asked == []
    assert (settings.get().currency, settings.get().max_order_minor) == ("TWD", 48_050)


def test_a_largest_order_has_no_more_decimals_than_the_currency(empty_shop: None) -> None:
    with pytest.raises(AmountInvalid, match="has more than the 2 decimals of TWD"):
        settings.change(max_order=Decimal("480.505"))

    assert settings.get().max_order_minor == 5_000_000


def test_a_declined_currency_changes_no_amount(empty_shop: None) -> None:
    with declining(), pytest.raises(Declined):
        settings.change(currency="JPY", max_order=Decimal(1))

    assert (settings.get().currency, settings.get().max_order_minor) == ("TWD", 5_000_000)


@pytest.mark.parametrize("model", ["product", "order"])
def test_what_has_a_price_keeps_its_currency(model: str, empty_shop: None) -> None:
    if model == "product":
        product_changes.create(sku="B-1", name="Thing", price=Decimal(480), actor="mei")
    else:
        Order.objects.create(number=1, currency="TWD", total_minor=48_000)

    with pytest.raises(SettingsInvalid, match="products or orders have prices in it"):
        settings.change(currency="JPY", max_order=Decimal(1))

    assert (settings.get().currency, settings.get().max_order_minor) == ("TWD", 5_000_000)
