"""Tests of Distill.  The folders mirror ``src/distill``; ``support`` holds what they share."""
