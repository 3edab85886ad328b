"""Sound from latents and codes: windows joined without seams, new sounds of any length, variations."""
