"""Plain TCP: line streams and the direct rendezvous."""
