"""Applications of P4's own, which use `p4.node.node.BaseNode` and `p4.node.peer.Peer` as any other would.

An app is an object with ``async start(node)`` and ``async close()``, made with an `AppStore` for what must
survive. The daemon holds them (`p4.daemon.hosted_apps`); the command line and the web page start and watch.
"""
