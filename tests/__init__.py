"""The tests: `isolation/` holds the cases of the promise, `support/` what all share; the rest mirrors the source."""
