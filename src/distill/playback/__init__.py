"""Playing sounds, without Qt."""
