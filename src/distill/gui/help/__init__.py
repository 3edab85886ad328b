"""The Help menu: its dialogs, the report to send along, and the notice of a newer version."""
