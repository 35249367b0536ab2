"""What the official client makes of a refusal, in both eras: its model is told when to call again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mcp.shared.exceptions import MCPError

from mcp_server.http.limited import LIMIT_EXCEEDED
from tests.support.processes import ERAS, Era, Process, connected, serving
from tests.support.world import World

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def strict(django_db_setup: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server that takes twelve messages an hour from each caller."""
    with serving(tmp_path_factory.mktemp("strict") / "log", MCP_LIMIT_PRINCIPAL="12/hour") as process:
        yield process


@pytest.mark.anyio
@pytest.mark.parametrize("era", ERAS)
async def test_the_model_is_told_when_to_call_again(era: Era, strict: Process, acme: World, globex: World) -> None:
    world = acme if era == "legacy" else globex

    async with connected(strict.mcp(world.subdomain), world.token, era) as client:
        results = [await client.call_tool("add_numbers", {"a": 1, "b": 2}) for _ in range(13)]
        with pytest.raises(MCPError) as refused:
            await client.list_prompts()
        # The session has outlived both.
        again = await client.call_tool("add_numbers", {"a": 1, "b": 2})

    assert not results[0].is_error
    for result in (results[-1], again):
        assert result.is_error
        text = result.content[0].text
        assert "You may send 12 messages in 60 minutes, and have sent them." in text
        assert "Call again after " in text
    assert refused.value.code == LIMIT_EXCEEDED
    assert "Call again after " in refused.value.message
    assert refused.value.data["retryAfter"] > 0
