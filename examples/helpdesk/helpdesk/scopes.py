"""What a token may be good for."""

from enum import StrEnum


class Scope(StrEnum):
    TICKETS_READ = "tickets:read"
    TICKETS_WRITE = "tickets:write"
