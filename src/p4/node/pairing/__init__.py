"""Pairing: how two nodes that do not know each other become contacts (spec/pairing.md).

    PairingApi ─► NodePairing ─► PairingDesk ─┬► Invites ─► receive_guest   (we invited)
                                              └► Visit                      (we were invited)

`Registry` is who we are to others, and how somebody becomes a contact; `FrontDoor` the place of a node in
direct mode. Other places are `p4.ports.pairing.MeetingPlaces`.
"""
