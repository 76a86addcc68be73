"""The daemon as a service of the user's session: systemd, launchd, Windows task scheduler."""
