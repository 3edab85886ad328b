"""Playing by MIDI and OSC: messages, ports, and what they play.  No Qt, no torch."""
