"""Measures what a run will take before it is started."""
