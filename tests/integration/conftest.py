"""What tests with real parts share."""

from tests.fixtures_tor import tor_network

__all__ = ["tor_network"]
