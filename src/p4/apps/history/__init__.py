"""What became of each contact's links: round trips, outages, how long it took to come back."""

from __future__ import annotations

from p4.apps.history.app import LinkHistory
from p4.apps.history.picture import Outage, Picture, Point, Run, Sample, Summary

__all__ = ["LinkHistory", "Outage", "Picture", "Point", "Run", "Sample", "Summary"]
