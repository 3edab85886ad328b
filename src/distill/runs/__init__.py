"""Run folders on disk: record, summary, checkpoints, and stop requests.  Imports no torch."""
