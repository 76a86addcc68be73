"""Orchestration: contacts, attempts, links, recovery."""
