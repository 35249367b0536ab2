"""The prompts of a tenant: what a person asks an assistant for again and again, with the figures of now."""
