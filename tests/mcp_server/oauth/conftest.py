"""An issuer, and the shop's server that takes its tokens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.issuers import Identities, issuing
from tests.support.processes import Process, serving


@pytest.fixture
def issuer() -> Iterator[Identities]:
    """One of the test's own."""
    with issuing() as found:
        yield found


@pytest.fixture(scope="session")
def shops_issuer() -> Iterator[Identities]:
    """That of `oauth_server`, with keys of its own."""
    with issuing(keys_from=1001) as found:
        yield found


@pytest.fixture(scope="session")
def oauth_server(
    django_db_setup: str, shops_issuer: Identities, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    """The shop with MCP_AUTH=oauth."""
    log = tmp_path_factory.mktemp("oauth") / "log"
    with serving(log, MCP_AUTH="oauth", MCP_OAUTH_ISSUERS=shops_issuer.url) as process:
        yield process
