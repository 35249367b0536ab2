"""What the function of a resource or a prompt may return, beside the parts and messages of the protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

import pytest
from mcp_types import PromptMessage, TextContent
from pydantic import BaseModel

from mcp_server import Content
from mcp_server.declare.messages import messages_of
from mcp_server.declare.resources import contents_of


@dataclass(frozen=True)
class Room:
    name: str
    seats: int


class Booking(TypedDict):
    room: Room


class Plan(BaseModel):
    rooms: list[Room]


ATTIC = Room("Attic", 4)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (ATTIC, '{"name":"Attic","seats":4}'),
        ([ATTIC], '[{"name":"Attic","seats":4}]'),
        (Booking(room=ATTIC), '{"room":{"name":"Attic","seats":4}}'),
        (Plan(rooms=[ATTIC]), '{"rooms":[{"name":"Attic","seats":4}]}'),
        (["Attic"], '["Attic"]'),
    ],
)
def test_what_has_fields_is_read_as_json(found: Any, text: str) -> None:
    assert contents_of(found, "application/json") == [Content(text, "application/json")]


@pytest.mark.parametrize("found", ["Attic", b"\x89PNG"])
def test_a_text_and_bytes_are_read_as_they_are(found: str | bytes) -> None:
    assert contents_of(found, "text/plain") == [Content(found, "text/plain")]


def test_parts_stay_as_they_are() -> None:
    part = Content("<svg/>", "image/svg+xml")

    assert contents_of(part, "text/plain") == contents_of([part], "text/plain") == [part]
    assert contents_of([], "text/plain") == []


def test_a_prompt_that_is_a_text_is_what_the_person_asks() -> None:
    written = [PromptMessage(role="assistant", content=TextContent(type="text", text="Attic?"))]

    [asked] = messages_of("Which room is free?")

    assert (asked.role, asked.content.text) == ("user", "Which room is free?")  # type: ignore[union-attr]  # a text
    assert messages_of(written) == written
