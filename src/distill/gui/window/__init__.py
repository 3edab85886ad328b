"""The main window: composition, menus, pages, dialogs."""
