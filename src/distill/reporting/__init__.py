"""What a user can send along with a report, without private data.  No Qt, no torch."""
