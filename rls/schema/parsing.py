"""Reads SQL text: its statements, and the policies and keys that each makes, renames or drops.

The checks read the statements, and no claim in a comment: a claim can be wrong, and only a migrated database tells.
"""

from __future__ import annotations

import re

# Strings and comments, which are left out. Quoted identifiers match first, so that a quote in one starts no string.
TOKENS = re.compile(
    r"""(?P<quoted>"[^"]*")|'(?:[^']|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|--[^\n]*|/\*.*?\*/|(?P<other>[^"'/$-]+|.)""",
    re.DOTALL,
)

NAME = r'(?:"[^"]+"|[\w$]+)'
TABLE = rf"({NAME}(?: ?\. ?{NAME})?)"
TENANT_AND = rf'\( ?"?tenant_id"? ?, ?({NAME}) ?\)'
POLICY = re.compile(rf'\bcreate policy "?tenant_isolation"? on {TABLE}')
DROP_POLICY = re.compile(rf'\bdrop policy (?:if exists )?"?tenant_isolation"? on {TABLE}')
ALTER_TABLE = re.compile(rf"\balter table (?:if exists )?(?:only )?{TABLE}")
UNIQUE = re.compile(rf"(?:\bconstraint ({NAME}) )?\bunique ?{TENANT_AND}")
UNIQUE_INDEX = re.compile(
    rf"\bcreate unique index (?:concurrently )?(?:if not exists )?(?:({NAME}) )?"
    rf"on (?:only )?{TABLE} ?{TENANT_AND}(?! ?where)"
)
FOREIGN_KEY = re.compile(rf"(?:\bconstraint ({NAME}) )?\bforeign key ?{TENANT_AND} ?references {TABLE} ?{TENANT_AND}")
# An index that starts with the tenant and covers all rows: a partial one does not serve every statement of a policy.
LEADING_INDEX = re.compile(
    rf"\bcreate (?:unique )?index (?:concurrently )?(?:if not exists )?(?:{NAME} )?"
    rf'on (?:only )?{TABLE} ?(?:using {NAME} ?)?\( ?"?tenant_id"?(?=[ ,)])(?!.*\bwhere\b)'
)
LEADING_KEY = re.compile(r'\b(?:unique|primary key) ?\( ?"?tenant_id"? ?[,)]')
DROP_CONSTRAINT = re.compile(rf"\bdrop constraint (?:if exists )?({NAME})")
DROP_INDEX = re.compile(rf"\bdrop index (?:concurrently )?(?:if exists )?{TABLE}")
DROP_TABLE = re.compile(rf"\bdrop table (?:if exists )?{TABLE}")
RENAME_TABLE = re.compile(rf"\brename to ({NAME})")
RENAME_COLUMN = re.compile(rf"\brename (?:column )?(?!constraint |to )({NAME}) to ({NAME})")
RENAME_CONSTRAINT = re.compile(rf"\brename constraint ({NAME}) to ({NAME})")
RENAME_INDEX = re.compile(rf"\balter index (?:if exists )?{TABLE} rename to ({NAME})")

DECLARED = re.compile(r"\(\s*'([a-z-]+)'\s*,\s*'((?:[^']|'')*)'")


def statements(sql: str) -> list[str]:
    """The statements of a SQL text without comments and strings, in small letters but for quoted names."""
    return [_normal(each) for each in texts(sql)]


def texts(sql: str) -> list[str]:
    """The statements of a SQL text as they stand, each without its semicolon."""
    found, begin = [], 0
    for token in TOKENS.finditer(sql):
        for part in re.finditer(";", token["other"] or ""):
            end = token.start() + part.start()
            found.append(sql[begin:end])
            begin = end + 1
    return [*found, sql[begin:]]


def declared(sql: str) -> set[tuple[str, str]]:
    """The (rule, object) pairs that a text puts into `app.declared_exceptions`."""
    return {
        (rule, text.replace("''", "'"))
        for statement in texts(sql)
        if "insert into app.declared_exceptions" in _normal(statement)
        for rule, text in DECLARED.findall(statement)
    }


def _normal(statement: str) -> str:
    def token(found: re.Match[str]) -> str:
        return found["quoted"] or (found["other"] or " ").lower()

    return " ".join(TOKENS.sub(token, statement).split())
