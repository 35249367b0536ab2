"""What is kept of arguments: no secret, nothing that a text of PostgreSQL can't hold, and not too much."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, SecretStr

from mcp_server.ledger import masking
from mcp_server.ledger.masking import CUT, MASK, MAX_DEPTH, MAX_ITEMS, MAX_LENGTH, MAX_TEXT_LENGTH


class Login(BaseModel):
    """As a tool may take it, at any depth."""

    user: str
    phrase: SecretStr
    pin: Annotated[int, Field(json_schema_extra={"writeOnly": True})]
    codes: list[SecretStr] = []
    old: SecretStr | None = None
    inner: Login | None = None


def kept(**arguments: Any) -> Any:
    return masking.kept(arguments, frozenset())


def test_what_a_schema_calls_secret_is_masked_at_any_depth() -> None:
    names = masking.secret_names(Login.model_json_schema())
    login = {"user": "ada", "phrase": "p", "pin": 7, "codes": ["c"], "old": "o"}

    found = masking.kept({"logins": [login | {"inner": login}]}, names)

    hidden = {"user": "ada", "phrase": MASK, "pin": MASK, "codes": MASK, "old": MASK}
    assert names == {"phrase", "pin", "codes", "old"}
    assert found == {"logins": [hidden | {"inner": hidden}]}
    assert masking.masked({"logins": [login]}, names) == {"logins": [hidden]}


SECRETS = (
    "password PASSWORD db_passwd pass_phrase secret clientSecret access_token apiKey api-key api_key Authorization"
)


@pytest.mark.parametrize("name", [*SECRETS.split(), "credentials", "private_key", "cookie", "confirmation"])
def test_what_has_the_name_of_a_secret_is_masked(name: str) -> None:
    assert kept(**{name: "hunter2"}) == {name: MASK}
    assert masking.masked({"inner": [{name: {"deep": "hunter2"}}]}) == {"inner": [{name: MASK}]}


@pytest.mark.parametrize("name", ["sku", "path", "keyboard", "passenger", "confirmation_number", "key"])
def test_what_has_another_name_is_kept(name: str) -> None:
    assert kept(**{name: "A-1"}) == {name: "A-1"}


def test_long_arguments_are_cut_to_a_bound() -> None:
    nested: Any = "x"
    for _ in range(100):
        nested = [nested]

    assert kept(text="x" * (MAX_TEXT_LENGTH + 1))["text"] == "x" * MAX_TEXT_LENGTH + CUT
    assert kept(items=list(range(1000)))["items"] == [*range(MAX_ITEMS), CUT]
    assert json.dumps(kept(nested=nested)).count("[") == MAX_DEPTH - 1
    many = {f"name-{number}" * 10: ["x" * 400] * 20 for number in range(1000)}
    assert len(json.dumps(kept(**many))) < 3 * MAX_LENGTH


@pytest.mark.parametrize(
    ("value", "held"),
    [("a\0b", "a\ufffdb"), ("\ud800", "\ufffd"), (float("inf"), "inf"), (float("nan"), "nan"), (2**200, CUT)],
)
def test_what_no_column_holds_is_replaced(value: Any, held: Any) -> None:
    assert kept(value=value) == {"value": held}
    assert kept(**{"a\0": 1}) == {"a\ufffd": 1}


@pytest.mark.parametrize("value", [None, True, 0, -1, 1.5, "", [], {}])
def test_what_is_short_is_kept_as_it_is(value: Any) -> None:
    assert kept(value=value) == {"value": value}
