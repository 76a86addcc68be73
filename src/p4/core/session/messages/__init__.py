"""Messages of a relation: accepted here, delivered there exactly once (spec/session.md, "Messages").

Pure: `machine` turns events into effects, the node carries the effects out.
"""
