"""Lists of sounds, models and runs: their models, views and painted rows."""
