"""The stereo image of sounds: measured in bands and moments, and given to mono sounds."""
