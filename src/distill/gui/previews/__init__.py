"""Previews of the model, epoch by epoch."""
