"""The cases of the promise: while a context for A is open, nothing of B is read or changed; without one, an error.

Every module here is also run against a container, and `test_mutations.py` shows that the cases bite.
"""
