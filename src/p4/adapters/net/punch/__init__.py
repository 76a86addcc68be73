"""Port guessing with real sockets (spec/punch.md); implements `p4.ports.punch`.

`guesser` finds out our side, `search` makes the two sides meet, `forwarder` carries the link's packets
once they have, and `bridge` is the life of all that.
"""

from p4.adapters.net.punch.guesser import UdpPortGuesser

__all__ = ["UdpPortGuesser"]
