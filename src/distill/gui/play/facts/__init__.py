"""What the Play page knows of a sound: its waveform, and how new it is."""
