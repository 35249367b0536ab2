"""Servers to compare with, each a small program: a page of 20 of a tenant's products, as its documentation writes it.

`python -m benchmarks.calls` starts them (requirements.txt beside this file says with what). They read the environment:
PEER_DATABASE_URL and PEER_TENANT, the id of the tenant that they serve. None of them looks up a token.
"""
