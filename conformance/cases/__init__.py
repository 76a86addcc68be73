"""What each language has to do: L2 from vectors/, L1 on two daemons, and both with every other language."""
