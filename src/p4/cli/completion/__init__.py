"""Completion with Tab: scripts for shells, and what completes."""
