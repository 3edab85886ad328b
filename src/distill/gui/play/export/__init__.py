"""Sounds and kits of the Play page, written where the user wants them."""
