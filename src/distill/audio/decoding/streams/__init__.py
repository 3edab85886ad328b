"""The byte layout of stream and container formats: where the sound lies in a file."""
