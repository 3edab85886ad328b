"""The public name of the main window; the class is in `distill.gui.window.main_window`."""

from distill.gui.window.main_window import MainWindow

__all__ = ["MainWindow"]
