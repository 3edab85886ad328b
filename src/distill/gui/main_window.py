"""The public name of the main window; the class is in `distill.gui.window.window`."""

from distill.gui.window.window import MainWindow

__all__ = ["MainWindow"]
