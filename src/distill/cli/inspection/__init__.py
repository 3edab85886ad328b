"""What ``distill inspect`` finds: faults of sounds, and what a run would take."""
