"""For the tests of a project: a proof that a model is isolated, and a connection as any of the roles.

The fixtures are in `rls.testing.plugin`, the only module of the library that knows pytest.
"""

from rls.testing.isolation import assert_isolated
from rls.testing.roles import as_role

__all__ = ["as_role", "assert_isolated"]
