"""An optional Django app: what tools have changed (audit events), and the answers kept for calls that arrive twice."""
