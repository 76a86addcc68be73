"""Copying files, as a person sees it on a terminal."""
