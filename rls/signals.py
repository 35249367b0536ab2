"""What the library tells whoever wants to count it (Django, "Signals")."""

from django.dispatch import Signal

# PostgreSQL has refused a statement. The sender is the class of `rls.errors` that is about to be raised, `error` is the
# error; who listens is called in the thread of the statement, and what it raises is logged and has no effect.
refused = Signal()
