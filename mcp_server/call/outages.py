"""What a caller is told of a lost connection to the database: whether anything can have changed, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import Error
from django.utils.translation import gettext as _
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR

from mcp_server import sentences
from mcp_server.call.calls import Call
from mcp_server.declare.tools import Endpoint, ToolSpec
from rls.backends import lost


class Unsettled(Exception):
    """The connection was lost while a change was committed: it was done, or it was not."""

    def __init__(self, call: Call) -> None:
        super().__init__(call.spec.name)
        self.call = call


@contextmanager
def unsettled_where(is_decided: Callable[[], bool], call: Call) -> Iterator[None]:
    """Raises Unsettled for a lost connection where the change was decided on."""
    try:
        yield
    except Exception as error:
        if is_decided() and lost.is_lost(error):
            lost.warn(error)
            raise Unsettled(call) from error
        raise


@contextmanager
def told_as_errors() -> Iterator[None]:
    """Makes an error of the protocol of a lost connection: the database's own text is not for clients."""
    try:
        yield
    except Error as error:
        if not lost.is_lost(error):
            raise
        lost.warn(error)
        raise MCPError(INTERNAL_ERROR, _nothing_changed()) from error


def outcome(error: Exception) -> str:
    """How the log calls what happened; '' where no connection was lost."""
    if isinstance(error, Unsettled):
        return "connection lost in the commit"
    return "connection lost" if lost.is_lost(error) or lost.is_read_only(error) else ""


def words(spec: object, error: Exception) -> str:
    """What the caller is told, in its language."""
    if isinstance(error, Unsettled):
        return _unsettled(error.call)
    if not isinstance(spec, ToolSpec) or spec.is_read_only:
        return _nothing_changed()
    lost_before = _("The connection to the database was lost, and nothing was changed.")
    return sentences.joined([lost_before, _same_key(spec)])


def _nothing_changed() -> str:
    return _("The connection to the database was lost, and nothing was changed. Try again.")


def _same_key(spec: ToolSpec) -> str:
    if spec.endpoint is Endpoint.PLATFORM:
        return _("Call {tool} again.").format(tool=spec.name)
    return _("Call {tool} again, with the same idempotency_key.").format(tool=spec.name)


def _unsettled(call: Call) -> str:
    told = _("The connection to the database was lost while the change was committed: it may have been done.")
    if call.has_key:
        next_call = _(
            "Call {tool} again with the same arguments and the same idempotency_key: "
            "it is not done twice, and you get its answer."
        )
    else:
        next_call = _("Before you call {tool} again, see with a tool that reads whether it was done.")
    return sentences.joined([told, next_call.format(tool=call.spec.name)])
