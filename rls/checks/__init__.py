"""System checks: `manage.py check` says before any statement runs what a model, a setting or a SQL file lacks."""
