"""P4: two devices pair once and talk directly, for years, with no server, account or cloud."""
