"""The cases of the promise: while a context for A is open, nothing of B is read or changed; without one, an error.

Every module here is also run against a container, and `test_mutations.py` shows that the cases bite.

| cases | |
|---|---|
| 1-5 | test_reads |
| 6-10 | test_writes |
| 11-13, 21 | test_no_context |
| 14-20 | test_lifetime; 18 also tests/rls/test_middleware and tests/core/test_views, 20 also test_pgbouncer |
| 22, 24 | test_hostile_sql |
| 23 | test_leaks |
| 25 | test_platform_work, test_hostile_sql, tests/rls/test_platform |
| 26-30 | test_mcp_endpoint |
| 31-34 | test_the_audit, tests/rls/test_audit |
| 35 | tests/mcp_server/test_asgi |
| 36 | test_tenant_life |
"""
