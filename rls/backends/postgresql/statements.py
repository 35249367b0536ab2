"""Reads how a statement begins, which decides how it is sent to PostgreSQL: see Note [The slow road].

White space and comments are read as PostgreSQL's lexer reads them (4.1.5: comments nest), so that what stands before a
statement, such as the `/* route=/api/x */` of sqlcommenter, changes nothing.
"""

from __future__ import annotations

import re

# A parenthesis may stand before a SELECT.
BLANK = re.compile(r"[ \t\n\r\f\v(]+|--[^\r\n]*|/\*")
COMMENT_BORDER = re.compile(r"/\*|\*/")
# To PostgreSQL every character that is not ASCII is a letter (4.1.1).
WORD = re.compile(r"[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*")

# Statements that touch rows, or savepoints. They need no look at their command tag, and no transaction around it.
ROW_KEYWORDS = frozenset(
    {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "VALUES", "MERGE", "EXPLAIN", "SAVEPOINT", "RELEASE"}
)


def is_on_rows(text: str) -> bool:
    """Whether `text` begins like a statement on rows or savepoints. True also where it holds nothing but comments."""
    begin = _skip_blank(text, 0)
    word = WORD.match(text, begin)
    if word is None:
        return begin == len(text)
    return word[0].upper() in ROW_KEYWORDS or (word[0].upper() == "ROLLBACK" and "TO" in words(text, 3))


def lasting(text: str) -> str | None:
    """The first word of a statement that an error afterwards does not undo, else None.

    Such are the ends of a transaction and PREPARE (a prepared statement outlives its transaction).
    """
    begin = words(text, 3)
    is_end = begin[:1] in (["COMMIT"], ["END"], ["ABORT"]) or (begin[:1] == ["ROLLBACK"] and "TO" not in begin)
    return begin[0] if is_end or begin[:1] == ["PREPARE"] else None


def is_set(text: str) -> bool:
    """Whether `text` begins like a statement that changes settings."""
    return words(text, 1) in (["SET"], ["RESET"])


def is_local(text: str) -> bool:
    """Whether `text`, as one statement, is a SET that ends with its transaction.

    What follows is no part of a name: `SET local.x = 1` lasts as long as the session.
    """
    begin, place = _words(text, 2)
    match begin:
        case ["SET", "LOCAL"]:
            return local_setting(text) is not None
        case ["SET", "TRANSACTION"]:
            return WORD.match(text, place) is not None
        case ["SET", "CONSTRAINTS"]:
            return WORD.match(text, place) is not None or text.startswith('"', place)
    return False


def local_setting(text: str) -> str | None:
    """The name that a SET LOCAL sets, in small letters: `my.setting`.

    None for another statement, and where the name is not plain: in quotes, or with escapes (`U&"..."`, 4.1.2.3).
    """
    begin, place = _words(text, 2)
    if begin != ["SET", "LOCAL"]:
        return None
    parts = []
    while word := WORD.match(text, place):
        parts.append(word[0].lower())
        place = _skip_blank(text, word.end())
        if not text.startswith(".", place):
            is_plain = text.startswith(("=", "'"), place) or WORD.match(text, place) is not None
            return ".".join(parts) if is_plain else None
        place = _skip_blank(text, place + 1)
    return None


def words(text: str, count: int) -> list[str]:
    """The first words of `text`, `count` at most, in capitals."""
    return _words(text, count)[0]


def _words(text: str, count: int) -> tuple[list[str], int]:
    """The first words, and where what follows them begins."""
    found: list[str] = []
    place = _skip_blank(text, 0)
    while len(found) < count and (word := WORD.match(text, place)):
        # Beyond ASCII PostgreSQL knows no capitals: `ſET` is no SET.
        found.append(word[0].upper() if word[0].isascii() else word[0])
        place = _skip_blank(text, word.end())
    return found, place


def _skip_blank(text: str, place: int) -> int:
    """Where white space and comments that begin at `place` end."""
    while blank := BLANK.match(text, place):
        place = blank.end()
        depth = 1 if blank[0] == "/*" else 0
        while depth:
            border = COMMENT_BORDER.search(text, place)
            if border is None:
                return len(text)
            depth += 1 if border[0] == "/*" else -1
            place = border.end()
    return place
