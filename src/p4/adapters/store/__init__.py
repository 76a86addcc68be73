"""Durable state: the state directory and the database."""
