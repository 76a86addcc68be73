"""How forwards, served ports and pipes look on a terminal."""
