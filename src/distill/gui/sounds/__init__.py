"""The dataset browser."""
