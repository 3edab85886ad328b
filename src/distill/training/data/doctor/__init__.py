"""Finds what is wrong with a set of sounds, says why it matters, and what can be done about it.  No torch here."""
