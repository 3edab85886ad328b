"""Settings: dataclasses, validation, and the catalogue of model families.  Imports no torch."""
