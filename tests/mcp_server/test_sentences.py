"""Sentences stand after each other as their language sets them: after a Chinese full stop there is no space."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

import pytest
from django.utils import translation
from mcp_types import CallToolResult, TextContent

from core.models import TenantSettings
from core.services import settings, tenants
from mcp_server import approval, sentences
from mcp_server.call import outages, pipeline, refusals, sizes, transaction, units
from mcp_server.call.calls import Call
from mcp_server.call.confirmations import Question
from mcp_server.declare.tools import Endpoint, ToolSpec
from mcp_server.principals import Principal
from rls import tenant_context
from tests.support.servers import shop_tools
from tests.support.world import World, working

SPACED = re.compile(r"[。！？；：，」）] ")


@pytest.mark.parametrize(
    ("given", "joined"),
    [
        (["One.", "Two."], "One. Two."),
        (["一。", "二。"], "一。二。"),
        (["一。", "Two.", "三！", "四"], "一。Two. 三！四"),
        (["", "One.", "", "Two."], "One. Two."),
        (["「一」", "二（三）", "四"], "「一」二（三）四"),
        ([], ""),
    ],
)
def test_a_space_stands_where_the_mark_before_has_none(given: list[str], joined: str) -> None:
    assert sentences.joined(given) == joined


class Priced(units.Zoned, units.BaseModel):
    """Says two kinds of units."""

    unit_field: ClassVar[str] = "decimals"

    time_zone: str = "Asia/Taipei"
    decimals: int = 2

    @staticmethod
    def unit_note(decimals: int) -> str:  # type: ignore[override]  # a unit of another kind
        return f"小數 {decimals} 位。"


def tool(name: str) -> ToolSpec:
    return next(each for endpoint in Endpoint for each in shop_tools(endpoint) if each.name == name)


def long() -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text="字。\n" * 30_000)], structured_content={"a": [1] * 9})


def texts() -> Iterator[str]:
    """Every kind of text that the library makes of several sentences."""
    asked = transaction.Undecided([Question("確定嗎？", ""), Question("真的？", "")])
    call = Call(tool("adjust_stock"), Principal("public", None, ""), {})
    yield asked.text
    yield str(pipeline._two_steps(call, asked))
    yield str(pipeline._asked_again(call, asked))
    yield units.note(Priced())
    yield str(refusals.no_such_tool("get_prodcut", ["get_product"]))
    yield str(refusals.unknown("get_product", ["skuu", "nmae"], ["sku", "name"]))
    yield outages.words(tool("adjust_stock"), ConnectionError())
    yield outages.words(tool("adjust_stock"), outages.Unsettled(call))
    for is_change in (True, False):
        try:
            cut = sizes.fitted(long(), sizes.Asked("get_orders", takes_limit=True, is_change=is_change))
            yield str(cut.content)
        except sizes.ToolError as error:
            yield str(error)


def test_no_chinese_sentence_of_the_library_has_an_ascii_space_after_it() -> None:
    with translation.override("zh-hant"):
        said = list(texts())

    assert len(said) == 10
    assert all(re.search("[\u4e00-\u9fff]", text) for text in said)
    assert [text for text in said if SPACED.search(text)] == []


def test_the_shops_questions_and_refusals_are_set_alike(acme: World) -> None:
    questions: list[str] = []
    with translation.override("zh-hant"):
        with tenant_context(acme.id), approval.answered_by(lambda question, about: questions.append(question)):
            TenantSettings.objects.update(max_order_minor=1, max_stock_change=1)
            settings.change(max_order_minor=2, max_stock_change=2)
        refused = [str(refusal_of(**facts)) for facts in NO_TENANTS]

    [question] = questions
    assert question.count("？") + question.count("。") > 1
    assert not SPACED.search(question)
    assert not any(SPACED.search(each) for each in refused)


NO_TENANTS: list[dict[str, str]] = [
    {"subdomain": "Not One!"},
    {"subdomain": "a" * 64},
    {"name": ""},
    {"name": " \u3000"},
    {"name": "x" * 101},
    {"name": "\ud800"},
    {"name": "\0"},
    {"locale": "zz"},
]


def refusal_of(**facts: str) -> tenants.TenantInvalid:
    with working(), pytest.raises(tenants.TenantInvalid) as refused:
        tenants.create(**{"subdomain": "one", "name": "One"} | facts)
    return refused.value


@pytest.mark.parametrize("facts", NO_TENANTS)
@pytest.mark.django_db
def test_a_refusal_of_a_tenant_is_whole_in_each_language(facts: dict[str, str]) -> None:
    """No name of a field stands before a sentence in another language."""
    with translation.override("zh-hant"):
        chinese = str(refusal_of(**facts))
    with translation.override("en"):
        english = str(refusal_of(**facts))

    assert "\u4e00" <= chinese[0] <= "\u9fff"
    assert english[0].isupper()
    assert not re.search("[\u4e00-\u9fff]", english)
