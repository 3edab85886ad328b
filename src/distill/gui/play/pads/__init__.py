"""The pads of the Play page: what they show and hold, with undo, and kept from session to session."""
