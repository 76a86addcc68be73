"""Pairing without I/O: links, words, what is derived from them, cards, the exchange (spec/pairing.md)."""
