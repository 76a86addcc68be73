"""Tells a command of every SDK the same things, and compares what they do: README.md."""
