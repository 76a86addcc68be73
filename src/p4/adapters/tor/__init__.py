"""Rendezvous over Tor onion services."""
