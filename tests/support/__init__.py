"""What the tests share: servers, projects, tenants with rows, and people who answer. No module here is a test."""
