"""Somebody with a browser that runs no script: follows redirects on one site, reads its pages, sends their forms."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2

from tests.support.raw import SOON


class Form(HTMLParser):
    """The only form of a page: what it would send if nothing was changed, its buttons, and the texts around it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.is_there = False
        self.fields: list[tuple[str, str]] = []
        self.choices: dict[str, bool] = {}
        self.buttons: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.is_there = True
        elif tag == "input" and facts.get("type") == "checkbox":
            self.choices[facts["value"]] = "checked" in facts
        elif tag == "input":
            self.fields.append((facts["name"], facts.get("value", "")))
        elif tag == "button" and "value" in facts:
            self.buttons.append(facts["value"])

    def handle_data(self, data: str) -> None:
        self.text += data


@dataclass
class Visitor:
    """Has a page open, or was sent away from the site: then `left_for` is where to."""

    root: str
    language: str = "en"
    page: httpx2.Response | None = None
    left_for: str = ""
    http: httpx2.Client = field(default_factory=lambda: httpx2.Client(timeout=SOON))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def open(self, url: str) -> Self:
        """Go to a URL of the site."""
        return self._follow(self.http.get(url, headers=self._headers()))

    def send(self, **values: str | list[str]) -> Self:
        """Send the form of the open page, with these values in the place of its own."""
        assert self.page is not None
        form, chosen = self.form, [value for value, is_on in self.form.choices.items() if is_on]
        sent: dict[str, str | list[str]] = {**dict(form.fields), "allowed": chosen, **values}
        url = str(self.page.url)
        return self._follow(self.http.post(url, data=sent, headers=self._headers() | {"Origin": self.root}))

    def sign_in(self, username: str, password: str = "correct horse") -> Self:
        """Fill in the page that asks who it is."""
        return self.send(username=username, password=password)

    @property
    def form(self) -> Form:
        assert self.page is not None
        return Form(self.page.text)

    @property
    def told(self) -> dict[str, str]:
        """What the client is told by where the visitor was sent."""
        return {name: value for name, [value] in parse_qs(urlsplit(self.left_for).query).items()}

    def _headers(self) -> dict[str, str]:
        return {"Accept": "text/html", "Accept-Language": self.language}

    def _follow(self, answer: httpx2.Response) -> Self:
        self.left_for = ""
        while answer.is_redirect:
            place = urljoin(str(answer.url), answer.headers["location"])
            if not place.startswith(f"{self.root}/"):
                self.left_for = place
                break
            answer = self.http.get(place, headers=self._headers())
        self.page = answer
        return self
