"""What is wrong with the listed sounds, and what can be done about it."""
