"""Calls between two contacts: executed at most once, and each has one outcome (spec/session.md, "Calls").

Pure: `Caller` and `Callee` turn events into effects, the node carries the effects out. The two know nothing
of each other: a contact is both.
"""

from p4.core.session.calls.callee import Callee
from p4.core.session.calls.caller import Caller

__all__ = ["Callee", "Caller"]
