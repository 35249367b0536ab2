"""The audit of a live database: `run()` finds what is weaker than it was built, `matrix` says who reaches what."""

from rls.audit.findings import Finding, Level, Rule, install_sql, rules, run

__all__ = ["Finding", "Level", "Rule", "install_sql", "rules", "run"]
