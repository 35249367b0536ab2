"""What the library raises when a context can't be opened. Each message says what to do next."""


class IsolationError(Exception):
    """Base of the errors of this library."""


class UnknownTenant(IsolationError):
    """No tenant has this id."""


class TenantSuspended(IsolationError):
    """The tenant exists and is not active."""


class PlatformRefused(IsolationError):
    """Cross-tenant work was asked for where it may not happen."""
