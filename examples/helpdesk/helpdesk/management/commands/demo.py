"""`manage.py demo`: two organisations with agents and tickets."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

import rls
from helpdesk.models import Agent, Comment, Organisation, Ticket
from mcp_server.tokens import tokens

SUBJECTS = {
    "acme": ["The printer prints in green", "A new password, please"],
    "globex": ["The lift stops between two floors"],
}


class Command(BaseCommand):
    help = "make the organisations acme and globex where they are missing, and print a token of each, good for a day"

    def handle(self, *args: Any, **options: Any) -> None:
        for slug, subjects in SUBJECTS.items():
            with rls.platform_context(actor="manage.py demo", reason="two organisations to look at"):
                organisation, is_new = Organisation.objects.get_or_create(slug=slug, defaults={"name": slug.title()})
                token = tokens.create(name="demo", slug=slug, expires_at=timezone.now() + timedelta(days=1))
            if is_new:
                with rls.tenant_context(organisation.id):
                    fill(slug, subjects)
            url = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}/mcp/{slug}/"
            self.stdout.write(f"{slug:<7} {url:<34} {token}")


def fill(slug: str, subjects: list[str]) -> None:
    """An agent, and tickets of which the first is answered."""
    agent = Agent.objects.create(name="Ada", email=f"ada@{slug}.example")
    tickets = [Ticket.objects.create(subject=subject, text=f"{subject}. Can you help?") for subject in subjects]
    Comment.objects.create(ticket=tickets[0], agent=agent, text="I am looking into it.")
