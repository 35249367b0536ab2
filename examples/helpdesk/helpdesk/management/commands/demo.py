"""`manage.py demo`: two organisations with agents and tickets."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

import rls
from helpdesk.models import Agent, Comment, Organisation, Ticket

TICKETS = {
    "acme": ["The printer prints in green", "A new password, please"],
    "globex": ["The lift stops between two floors"],
}


class Command(BaseCommand):
    """Makes what is missing, and says nothing where it is there."""

    help = "make the organisations acme and globex, with agents and tickets"

    def handle(self, *args: Any, **options: Any) -> None:
        for slug, subjects in TICKETS.items():
            with rls.platform_context(actor="manage.py demo", reason="two organisations to look at"):
                organisation, is_new = Organisation.objects.get_or_create(slug=slug, defaults={"name": slug.title()})
            if is_new:
                with rls.tenant_context(organisation.id):
                    fill(slug, subjects)


def fill(slug: str, subjects: list[str]) -> None:
    agent = Agent.objects.create(name="Ada", email=f"ada@{slug}.example")
    tickets = [Ticket.objects.create(subject=subject, text=f"{subject}. Can you help?") for subject in subjects]
    Comment.objects.create(ticket=tickets[0], agent=agent, text="I am looking into it.")
