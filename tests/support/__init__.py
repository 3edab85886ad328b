"""What tests share: a screen, a sound card, sounds, and the search for what a test left running."""
