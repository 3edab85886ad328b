"""Widgets, painting and helpers that several rooms of the window use."""
