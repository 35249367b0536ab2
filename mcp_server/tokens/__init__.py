"""An optional Django app: bearer tokens of tenants and of the platform, and who their bearer is."""
