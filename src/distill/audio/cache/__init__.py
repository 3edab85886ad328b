"""Caches of decoded sounds, content hashes and waveform overviews."""
