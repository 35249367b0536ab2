"""Organisations, the agents who work for them, and the tickets that they answer."""

from __future__ import annotations

from django.db import models

from rls.models import Keyed, Tenanted


class Organisation(Keyed):
    """Who has a helpdesk; `slug` stands in its URL."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    is_active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.name


class Agent(Tenanted):
    """Somebody who answers tickets."""

    name = models.CharField(max_length=100)
    email = models.EmailField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "email"], name="agent_email_unique")]

    def __str__(self) -> str:
        return self.name


class Ticket(Tenanted):
    """What somebody asks for."""

    class Status(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"

    subject = models.CharField(max_length=200)
    text = models.TextField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)

    class Meta:
        indexes = [models.Index(fields=["tenant", "status", "created_at"], name="ticket_by_status")]

    def __str__(self) -> str:
        return self.subject


class Comment(Tenanted):
    """What an agent answers to a ticket."""

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="comments", db_constraint=False, db_index=False)
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="comments", db_constraint=False, db_index=False)
    text = models.TextField()

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "ticket", "created_at"], name="comment_by_ticket"),
            models.Index(fields=["tenant", "agent"], name="comment_by_agent"),
        ]

    def __str__(self) -> str:
        return self.text
