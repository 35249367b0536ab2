"""Failures that a caller can do something about."""


class Refusal(Exception):
    """An anticipated failure. Its text is for the caller: what is wrong, then what to do. No database text."""
