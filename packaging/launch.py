"""Where the frozen application begins.

One bundle, two names: ``distill-gui`` is what an icon or a double click starts, and opens the window whatever happens;
every other name is the terminal program, which opens the window too when nothing else is asked of it.  On Linux and
macOS the second name is a link to the first program; Windows wants two programs, because it gives a console to one kind
and none to the other.
"""

import sys
from pathlib import PurePath

from distill.__main__ import main, main_gui

if __name__ == "__main__":
    sys.exit(main_gui() if PurePath(sys.argv[0]).stem.lower() == "distill-gui" else main())
