"""Fakes and laboratories for tests of P4 and of applications built on it."""
