"""Django's own test suite on `rls.backends.postgresql`, compared with the backend of Django: `make test-django`."""
