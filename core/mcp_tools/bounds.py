"""How long a query of a tool may take, where that is less than what its role may."""

# Seconds. A report reads all of a tenant's orders: whoever waits for it has given up by then, and holds a worker.
REPORT_TIMEOUT = 10
