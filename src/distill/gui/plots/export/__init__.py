"""Curves as files: pictures, drawings, and tables of their figures."""
