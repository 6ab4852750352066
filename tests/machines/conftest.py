"""Fixtures of the delivery tests: a server on loopback, and jobs that run beside each other."""

from tests.delivery.conftest import outcome, server

__all__ = ["outcome", "server"]
