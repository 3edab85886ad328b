"""The page of saved models."""
