"""What a run will take, and what earlier runs on this computer took.  No torch here."""
