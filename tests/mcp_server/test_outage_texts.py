"""What is said of a lost connection, at both endpoints and in both languages."""

from __future__ import annotations

import psycopg
import pytest
from django.db import OperationalError
from django.utils import translation

from mcp_server.call import outages
from mcp_server.call.calls import Call
from mcp_server.declare.tools import Endpoint, ToolSpec
from mcp_server.principals import Principal
from mcp_server.watch.watchers import Watching
from tests.support.servers import shop

NOBODY = Principal("token", None, "", "en", "UTC", "token", frozenset())


def spec(name: str, endpoint: Endpoint = Endpoint.TENANT) -> ToolSpec:
    return next(each for each in shop().registry().tools(endpoint) if each.name == name)


def lost_error() -> OperationalError:
    error = OperationalError("connection to server at 10.0.0.1 failed")
    error.__cause__ = psycopg.OperationalError("the connection is closed")
    return error


@pytest.mark.parametrize("language", ["en", "zh-hant"])
def test_each_says_whether_anything_changed_and_what_to_do(language: str) -> None:
    change, read = spec("adjust_stock"), spec("get_tenant_products")
    platform = spec("suspend_tenant", Endpoint.PLATFORM)

    with translation.override(language):
        said = {
            "read": outages.words(read, lost_error()),
            "watch": outages.words(Watching("subscriptions/listen"), lost_error()),
            "change": outages.words(change, lost_error()),
            "platform": outages.words(platform, lost_error()),
            "kept": outages.words(change, outages.Unsettled(Call(change, NOBODY, {}, idempotency_key="k"))),
            "confirmed": outages.words(change, outages.Unsettled(Call(change, NOBODY, {}, confirmation="c"))),
            "not kept": outages.words(change, outages.Unsettled(Call(change, NOBODY, {}))),
            "platform, not kept": outages.words(platform, outages.Unsettled(Call(platform, NOBODY, {}))),
        }

    assert said["read"] == said["watch"]
    assert said["kept"] == said["confirmed"]
    assert len(set(said.values())) == 6
    for text in said.values():
        assert "10.0.0.1" not in text
        assert text.isascii() == (language == "en")
    assert "idempotency_key" in said["change"]
    assert "idempotency_key" not in said["platform"] + said["platform, not kept"] + said["not kept"]


def test_the_log_says_which() -> None:
    call = Call(spec("adjust_stock"), NOBODY, {})

    assert outages.outcome(lost_error()) == "connection lost"
    assert outages.outcome(outages.Unsettled(call)) == "connection lost in the commit"
    assert outages.outcome(ValueError("a bug")) == ""
