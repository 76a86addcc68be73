"""TURN, as far as a diagnosis needs it: whether a server gives us a relay (RFC 8656).

Links leave TURN to their libraries, which tell nobody why a server did not serve them.
"""
