"""STUN: which address a server on the internet sees for a UDP socket of ours (RFC 8489, RFC 5780).

`codec` is the wire form, `client` asks and repeats, `nat` draws the conclusion for a person, and
`classify` holds the reasoning without any network.
"""
