-- Reverts 0010 audit.
DROP VIEW app.isolation_findings;
DROP VIEW app.tenanted_tables;
