"""What a change is about, as the audit log has it, and as it is found there."""

from __future__ import annotations


def of_product(sku: str) -> str:
    return f"product {sku}"


def of_order(number: int) -> str:
    return f"order {number}"
