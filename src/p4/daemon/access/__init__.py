"""Who may ask the daemon for what: tokens, browser sessions, and the checks in front of every request."""
