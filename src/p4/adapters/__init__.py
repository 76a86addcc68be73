"""Implementations of the ports, one package or module each."""
