"""Usage of the codebooks of a residual-VQ model."""
