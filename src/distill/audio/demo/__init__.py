"""Synthesised demo sounds."""
