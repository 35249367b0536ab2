"""Which time zones a tenant can choose, and what is said to whoever writes something else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone, translation

from core.services import countries, settings, time_zones
from core.services.settings import SettingsInvalid
from rls import tenant_context
from tests.support.world import World


def offset(name: str) -> timedelta:
    """That of standard time."""
    year = timezone.now().year
    both = (datetime(year, month, 1, tzinfo=UTC).astimezone(ZoneInfo(name)).utcoffset() for month in (1, 7))
    return min(each for each in both if each is not None)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Asia/Tapei", "Asia/Taipei"),
        ("asia/taipei", "Asia/Taipei"),
        ("ASIA/TAIPEI", "Asia/Taipei"),
        (" Asia/Taipei ", "Asia/Taipei"),
        ("Taipei", "Asia/Taipei"),
        ("taipei city", "Asia/Taipei"),
        ("台北", "Asia/Taipei"),
        ("Ａｓｉａ／Ｔａｉｐｅｉ", "Asia/Taipei"),
        ("New York", "America/New_York"),
        ("Tokio", "Asia/Tokyo"),
        ("Europe/Brelin", "Europe/Berlin"),
        ("GMT+8", "Asia/Taipei"),
        ("utc + 8", "Asia/Taipei"),
        ("+08:00", "Asia/Taipei"),
        ("+0800", "Asia/Taipei"),
        ("＋８", "Asia/Taipei"),
        ("UTC\N{MINUS SIGN}8", "America/Los_Angeles"),
        ("GMT-03:30", "America/St_Johns"),
        ("UTC+05:45", "Asia/Katmandu"),
        ("EST5EDT", "America/New_York"),
        ("ROC", "Asia/Taipei"),
        ("JST", "Asia/Tokyo"),
        ("WEST", "Atlantic/Canary"),
        ("HKT", "Asia/Hong_Kong"),
        ("Hongkong", "Asia/Hong_Kong"),
        ("GMT", "UTC"),
        ("Z", "UTC"),
        ("Etc/UTC", "UTC"),
        ("utc", "UTC"),
    ],
)
def test_what_is_meant_is_suggested(text: str, meant: str) -> None:
    with translation.override("zh-hant"):
        assert time_zones.suggestions(text)[0] == meant


@pytest.mark.parametrize(
    "text",
    [
        "CST",
        "IST",
        "Etc/GMT-8",
        "Etc/GMT+8",
        "etc/gmt+8",
        "GMT 8",
        "8",
        "UTC+25",
        "localtime",
        "?",
        "",
        "AEST",
        "EST",
        "MST",
        "EET",
        "ET",
        "Europe",
        "World",
        "Beijing",
        "Delhi",
        "Mumbai",
        "Geneva",
        "Boston",
    ],
)
def test_what_may_mean_two_things_suggests_nothing(text: str) -> None:
    assert time_zones.suggestions(text) == []


@pytest.mark.parametrize("language", ["en", "zh-hant"])
@pytest.mark.parametrize(
    ("text", "zones"),
    [
        *(
            (text, ["Asia/Taipei"])
            for text in ("Taiwan", "taiwan", "台灣", "臺灣", "臺北", "台北", "TW", "TWN", "Taiwn")
        ),
        *((text, ["Asia/Shanghai", "Asia/Urumqi"]) for text in ("China", "中國", "CN", "Chian")),
        *((text, ["Asia/Tokyo"]) for text in ("Japan", "日本", "JP", "東京")),
        *((text, ["Asia/Hong_Kong"]) for text in ("Hong Kong", "香港", "HK")),
        *((text, ["Asia/Seoul"]) for text in ("Korea", "South Korea", "南韓", "ROK")),
        *((text, ["Europe/London"]) for text in ("UK", "Britain", "United Kingdom", "英國", "GB")),
        *((text, ["Asia/Kolkata"]) for text in ("India", "印度")),
        ("Estonia", ["Europe/Tallinn"]),
        ("Ukraine", ["Europe/Kyiv", "Europe/Simferopol"]),
        ("Spain", ["Europe/Madrid", "Atlantic/Canary"]),
        ("Chile", ["America/Santiago", "America/Coyhaique", "Pacific/Easter"]),
        ("New Zealand", ["Pacific/Auckland", "Pacific/Chatham"]),
    ],
)
def test_a_country_suggests_a_zone_for_each_of_its_clocks(text: str, zones: list[str], language: str) -> None:
    with translation.override(language):
        assert time_zones.suggestions(text) == zones


@pytest.mark.parametrize("text", ["USA", "US", "United States", "美國"])
def test_of_a_country_with_many_clocks_those_of_most_people_come_first(text: str) -> None:
    found = time_zones.suggestions(text)

    assert found[:4] == ["America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"]
    assert len(found) == len({offset(zone) for zone in found}) + 1  # Phoenix has the time of Denver in winter


def test_each_country_suggests_zones_of_its_own() -> None:
    """By the name that CLDR and tzdata give it: nobody is sent to another country."""
    for name, codes in countries.by_name().items():
        if own := set(countries.zones(codes)) & set(time_zones.names()):
            assert set(time_zones.suggestions(name)) <= own | {time_zones._places().get(name, "")}, name


@pytest.mark.parametrize("sign", ["+", "-"])
@pytest.mark.parametrize("hours", range(1, 15))
@pytest.mark.parametrize("form", ["GMT{}{}", "UTC{}{}", "{}{:02}:00", "{}{:02}00", "Z{}{}"])
def test_an_offset_suggests_only_zones_that_have_it(form: str, hours: int, sign: str) -> None:
    found = time_zones.suggestions(form.format(sign, hours))

    assert {offset(name) for name in found} <= {timedelta(hours=hours if sign == "+" else -hours)}


def test_names_have_no_sign_and_no_abbreviation() -> None:
    names = time_zones.names()

    assert {"UTC", "Asia/Taipei", "America/Vancouver"} <= set(names)
    assert not [name for name in names if "+" in name or name.startswith("Etc/") or ("/" not in name and name != "UTC")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("GMT+8", "There is no time zone 'GMT+8'. Did you mean 'Asia/Taipei', 'Asia/Shanghai', 'Asia/Singapore'?"),
        ("Etc/GMT-8", "The sign of 'Etc/GMT-8' is the other way round: Etc/GMT-8 is ahead of UTC."),
        ("CST", "There is no time zone 'CST'. Use the IANA name of a city's time zone, as in Area/City."),
    ],
)
def test_whoever_writes_no_zone_is_told_what_to_write(text: str, words: str, acme: World) -> None:
    with tenant_context(acme.id), translation.override("en"), pytest.raises(SettingsInvalid) as refusal:
        settings.change(time_zone=text)

    assert str(refusal.value).startswith(words)
