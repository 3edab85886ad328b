"""The library of saved models: files, index, and what the user writes about each model.  Imports no torch."""
