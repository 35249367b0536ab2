"""What an organisation's assistants can do with its tickets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Count
from pydantic import Field

from helpdesk.models import Agent, Comment, Ticket
from mcp_server import Argument, Refusal, ask, prompt, resource, tool

Limit = Annotated[int, Field(ge=1, le=100, description="How many at most.")]
TicketId = Annotated[UUID, Field(description="The id of a ticket, as open_tickets gives it.")]


@dataclass(frozen=True)
class TicketRow:
    """A ticket in a list."""

    id: UUID
    subject: str
    status: str
    opened_at: datetime


@dataclass(frozen=True)
class Answered:
    """A comment of an agent."""

    agent: str
    text: str
    at: datetime


@dataclass(frozen=True)
class Workload:
    """How many comments an agent has written."""

    agent: str
    email: str
    comments: int


@dataclass(frozen=True)
class TicketPage:
    """A ticket with its comments, the oldest first."""

    id: UUID
    subject: str
    status: str
    text: str
    comments: list[Answered]


@tool(scope="tickets:read", read_only=True)
def open_tickets(limit: Limit = 20) -> list[TicketRow]:
    """List this organisation's open tickets, newest first. To read one call show_ticket."""
    return [row(ticket) for ticket in Ticket.objects.filter(status="open").order_by("-created_at")[:limit]]


@tool(scope="tickets:read", read_only=True)
def show_ticket(ticket: TicketId) -> TicketPage:
    """Show a ticket with its comments."""
    return page(find(ticket))


@tool(scope="tickets:read", read_only=True, timeout=5, max_rows=200)
def workload() -> list[Workload]:
    """Count the comments of each agent of this organisation, the busiest first."""
    agents = Agent.objects.annotate(count=Count("comments")).order_by("-count", "email")
    return [Workload(each.name, each.email, each.count) for each in agents]


@tool(scope="tickets:write", read_only=False)
def open_ticket(subject: Annotated[str, Field(max_length=200)], text: str) -> TicketRow:
    """Open a ticket."""
    return row(Ticket.objects.create(subject=subject, text=text))


@tool(scope="tickets:write", read_only=False)
def comment(ticket: TicketId, agent: Annotated[str, Field(description="An agent's e-mail.")], text: str) -> TicketPage:
    """Answer a ticket in the name of an agent."""
    author = Agent.objects.filter(email=agent).first()
    if author is None:
        known = ", ".join(Agent.objects.order_by("email").values_list("email", flat=True))
        raise Refusal(f"No agent has the e-mail {agent}. The agents are: {known}.")
    found = find(ticket)
    Comment.objects.create(ticket=found, agent=author, text=text)
    return page(found)


@tool(scope="tickets:write", read_only=False, asks=True)
def close_ticket(ticket: TicketId) -> TicketRow:
    """Close a ticket. A person is asked where nobody has answered it."""
    found = find(ticket)
    if not found.comments.exists():
        ask(f"Nobody has answered {found.subject!r}. Close it all the same?")
    found.status = Ticket.Status.CLOSED
    found.save(update_fields=["status"])
    return row(found)


@resource("ticket://{ticket}", scope="tickets:read")
def ticket_as_json(ticket: Annotated[str, Argument("The id of a ticket.")]) -> TicketPage:
    """A ticket with its comments."""
    return page(find(ticket))


@prompt(scope="tickets:read")
def triage() -> str:
    """Suggests which open tickets to answer first."""
    subjects = "\n".join(f"- {ticket.subject} ({ticket.id})" for ticket in open_tickets())
    return f"These are the open tickets of this organisation. Say which to answer first, and why.\n{subjects}"


def find(ticket: UUID | str) -> Ticket:
    """The ticket of the organisation whose endpoint was called; that of another one does not exist."""
    try:
        return Ticket.objects.get(id=ticket)
    except (Ticket.DoesNotExist, ValidationError):
        raise Refusal(f"There is no ticket {ticket}. Call open_tickets to see those that are open.") from None


def row(ticket: Ticket) -> TicketRow:
    return TicketRow(ticket.id, ticket.subject, ticket.status, ticket.created_at)


def page(ticket: Ticket) -> TicketPage:
    comments = ticket.comments.select_related("agent").order_by("created_at")
    answered = [Answered(each.agent.name, each.text, each.created_at) for each in comments]
    return TicketPage(ticket.id, ticket.subject, ticket.status, ticket.text, answered)
