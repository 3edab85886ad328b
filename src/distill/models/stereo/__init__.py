"""What a model knows of the stereo image of its sounds."""
