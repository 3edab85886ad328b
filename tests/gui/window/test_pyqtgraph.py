"""What comes with pyqtgraph, which the window imports after its first frame."""

import subprocess
import sys
from pathlib import Path


def test_it_is_imported_without_the_bindings_of_cuda(tmp_path: Path) -> None:
    """They are found and would be imported; afterwards they can be, by whoever needs them."""
    bindings = tmp_path / "cuda" / "bindings"
    bindings.mkdir(parents=True)
    (tmp_path / "cuda" / "__init__.py").touch()
    (bindings / "__init__.py").write_text("print('loaded')")
    (bindings / "runtime.py").touch()
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from distill.gui.window.main_window import _import_pyqtgraph
_import_pyqtgraph()
print("pyqtgraph" in sys.modules)
import cuda.bindings.runtime
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["True", "loaded"]
