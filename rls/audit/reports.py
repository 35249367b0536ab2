"""The audit's findings as text, JSON, SARIF or Markdown, or counted for Prometheus."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from rls import audit
from rls.audit import Finding, Level

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def text(findings: Sequence[Finding]) -> str:
    """Three lines a finding: rule and object, what is wrong, the SQL that mends it."""
    return "\n".join(
        f"{each.level}  {each.rule}  {each.object}\n    {each.finding}\n    {each.mend}" for each in findings
    )


def as_json(findings: Sequence[Finding]) -> str:
    """`{"errors": n, "warnings": n, "findings": [{rule, level, object, finding, mend}]}`."""
    return json.dumps(
        {
            "errors": count(findings, Level.ERROR),
            "warnings": count(findings, Level.WARNING),
            "findings": [asdict(each) for each in findings],
        },
        ensure_ascii=False,
        indent=2,
    )


def markdown(findings: Sequence[Finding]) -> str:
    """A heading, and a section a finding, with the SQL in a block."""
    lines = [
        "# Isolation audit",
        "",
        f"Errors: {count(findings, Level.ERROR)}. Warnings: {count(findings, Level.WARNING)}.",
    ]
    for each in findings:
        lines += ["", f"## {each.level}: {each.rule}", "", f"`{each.object}`: {each.finding}"]
        lines += ["", "```sql", each.mend, "```"]
    return "\n".join(lines)


def sarif(findings: Sequence[Finding]) -> str:
    """SARIF 2.1.0 (OASIS): each rule with its problem, one result per finding, the object as its logical location."""
    rules = {rule.slug: (place, rule) for place, rule in enumerate(audit.rules())}
    driver = {"name": "rls audit", "rules": [_sarif_rule(rule) for rule in audit.rules()]}
    results = [_sarif_result(each, *rules[each.rule]) for each in findings]
    return json.dumps(
        {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]},
        ensure_ascii=False,
        indent=2,
    )


def prometheus(findings: Sequence[Finding]) -> str:
    """How many there are by rule, and when that was, for the textfile collector of node_exporter (Prometheus, "Text
    format").
    """
    found = Counter(each.rule for each in findings)
    return "\n".join(
        [
            "# HELP rls_audit_findings What is weaker than the SQL files make it.",
            "# TYPE rls_audit_findings gauge",
            *(
                f'rls_audit_findings{{level="{each.level}",rule="{each.slug}"}} {found[each.slug]}'
                for each in audit.rules()
            ),
            "# HELP rls_audit_time_seconds When the audit has looked, in seconds since 1970.",
            "# TYPE rls_audit_time_seconds gauge",
            f"rls_audit_time_seconds {time.time():.0f}",
        ]
    )


FORMATS: dict[str, Callable[[Sequence[Finding]], str]] = {
    "text": text,
    "json": as_json,
    "sarif": sarif,
    "markdown": markdown,
    "prometheus": prometheus,
}


def count(findings: Sequence[Finding], level: Level) -> int:
    """How many findings have this level."""
    return sum(each.level is level for each in findings)


def _sarif_rule(rule: audit.Rule) -> dict[str, Any]:
    return {
        "id": rule.slug,
        "name": rule.slug.title().replace("-", ""),
        "shortDescription": {"text": rule.problem},
        "help": {"text": f"Fix: {rule.fix}"},
        "defaultConfiguration": {"level": rule.level.value},
        "properties": {"number": rule.number},
    }


def _sarif_result(finding: Finding, rule_index: int, rule: audit.Rule) -> dict[str, Any]:
    return {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": finding.level.value,
        "message": {"text": f"{finding.object}: {finding.finding}. Fix: {finding.mend}"},
        "locations": [
            {
                # What reads SARIF for code wants a file: the rule's, which says what the finding means.
                "physicalLocation": {"artifactLocation": {"uri": rule.uri}, "region": {"startLine": 1}},
                "logicalLocations": [{"fullyQualifiedName": finding.object, "kind": "resource"}],
            }
        ],
        "properties": {"mend": finding.mend},
    }
