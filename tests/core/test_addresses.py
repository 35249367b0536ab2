"""E-mail addresses: one form, whatever form people paste them in."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import addresses
from core.addresses import NotAnAddress

WILE = "wile@acme.example"
ALPHABET = "aZ9.-_+@<> \u200f\u200d\ufeff\u00ad\u0301\u00e9\uff41\uff20\u3002\u00df\u0130\u05d0\u0e01手xn"


@pytest.mark.parametrize(
    "pasted",
    [
        "Wile@ACME.example",
        "  wile@acme.example\t\n",
        "wile@acme.example\u200f",
        "\u202awile@acme.example\u202c",
        "\ufeffwile\u2060@ac\u00adme.ex\u200bample\ufe0f",
        "wi\u200dle@ac\u200cme.example",
        "\u3000wile@acme.example\u00a0",
        "ｗｉｌｅ＠ａｃｍｅ．ｅｘａｍｐｌｅ",
        "wile@acme。example",
        "wile@acme.example.",
        "wile@acme.example. ",
        "wile@acme.example,",
        "(wile@acme.example)",
        "<wile@acme.example>",
        "Wile E. <wile@acme.example>",
        '"Coyote, Wile" <Wile@acme.example>;',
        "mailto:wile@acme.example",
        "MAILTO:Wile%40acme.example?subject=Anvils",
        "<mailto:wile@acme.example>",
        "“wile@acme.example”",
        "„wile@acme.example“",
        "«wile@acme.example»,",
        "【wile@acme.example】",
        "《wile@acme.example》。",
    ],
)
def test_an_address_has_one_form_however_it_is_pasted(pasted: str) -> None:
    assert addresses.normal(pasted) == WILE


@pytest.mark.parametrize(
    ("one", "other", "form"),
    [
        ("jörg@acme.example", "JO\u0308RG@acme.example", "jörg@acme.example"),
        ("a@bücher.example", "a@XN--BCHER-KVA.example", "a@bücher.example"),
        ("a@bücher.example", "a@BU\u0308CHER.example", "a@bücher.example"),
        ("a@faß.example", "a@xn--fa-hia.example", "a@faß.example"),
        ("用户@例子.example", "用户@xn--fsqu00a.example", "用户@例子.example"),
        ("İ@acme.example", "i\u0307@acme.example", "i\u0307@acme.example"),
    ],
)
def test_unicode_and_punycode_are_one_form(one: str, other: str, form: str) -> None:
    assert addresses.normal(one) == addresses.normal(other) == form


@pytest.mark.parametrize(
    ("one", "other"),
    [("a+b@x.example", "a@x.example"), ("a.b@x.example", "ab@x.example"), ("a@faß.example", "a@fass.example")],
)
def test_mailboxes_that_may_be_of_two_people_stay_two(one: str, other: str) -> None:
    assert addresses.normal(one) != addresses.normal(other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \u200b",
        "wile",
        "@acme.example",
        "wile@",
        "wile@acme",
        "wile@@acme.example",
        "wi le@acme.example",
        "wile@ac me.example",
        "wile@acme.example, bip@acme.example",
        "wile@acme..example",
        ".wile@acme.example",
        "wile@-acme.example",
        "wile@[127.0.0.1]",
        "wile@xn--a.example",
        "wile\0@acme.example",
        "w" * 250 + "@acme.example",
    ],
)
def test_what_is_no_address_is_none(text: str) -> None:
    with pytest.raises(NotAnAddress):
        addresses.normal(text)


@given(st.text(ALPHABET), st.text(ALPHABET) | st.just("acme"), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_the_form_of_a_form_is_itself_and_that_of_its_variants(local: str, domain: str, form: str) -> None:
    try:
        address = addresses.normal(f"{local}@{domain}.example")
    except NotAnAddress:
        return

    assert addresses.normal(address) == address
    assert addresses.normal(f"\u200f{unicodedata.normalize(form, address)} ") == address
