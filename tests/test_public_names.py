"""The names that the packages offer to scripts: declared once in a stub, imported on first use."""

import ast
import importlib
from pathlib import Path

import pytest

from tests.test_guards import run_python

SOURCE = Path(__file__).resolve().parents[1] / "src" / "distill"
PACKAGES = ["audio", "models", "training"]


def declared(package: str) -> list[str]:
    tree = ast.parse((SOURCE / package / "__init__.pyi").read_text(encoding="utf-8"))
    return [alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]


@pytest.mark.parametrize("package", PACKAGES)
def test_each_declared_name_can_be_imported(package: str) -> None:
    module = importlib.import_module(f"distill.{package}")
    names = declared(package)
    assert sorted(names) == sorted(set(names))
    assert set(names) <= set(dir(module))
    for name in names:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError):
        getattr(module, "no_such_name")  # noqa: B009


_LATE = """
import sys
from distill.models import ModelEntry, ModelLibrary, ModelMetadata
from distill.training import StepMetrics, TrainingConfig
print("torch" in sys.modules)
"""


def test_names_that_need_no_torch_do_not_import_it() -> None:
    assert run_python(_LATE).strip() == "False"


_CODES = """
import sys
import distill.generation.generated_sound, distill.models.persistence, distill.training.loop
from distill.models import ConvVAE, ConvVQVAE
ConvVAE(8, input_shape=(32, 32))
print("vector_quantize_pytorch" in sys.modules)
ConvVQVAE(8, 16, 1, input_shape=(32, 32))
print("vector_quantize_pytorch" in sys.modules)
"""


def test_the_library_of_codebooks_is_imported_for_codebooks_only() -> None:
    """It brings torch's compiler and sympy, more than a second of processor time."""
    assert run_python(_CODES).split() == ["False", "True"]
