"""The tests. `isolation/` holds the cases of the promise; the rest mirrors the source."""
