"""Kits for samplers: their sounds, their files, and their presets."""
