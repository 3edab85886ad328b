"""Plots of the training curves."""
