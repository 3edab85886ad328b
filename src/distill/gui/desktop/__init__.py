"""What the desktop does with files for the window: showing them, moving them to the trash, and file dialogs."""
