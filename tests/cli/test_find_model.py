"""The model of the library that the words of a command line mean."""

from pathlib import Path

import pytest

from distill.cli.library import find_model
from distill.errors import LibraryError
from distill.library.model_library import ModelLibrary
from tests.library.test_model_library import bells, write_model


@pytest.fixture
def library(tmp_path: Path) -> ModelLibrary:
    return ModelLibrary(tmp_path / "models")


def test_a_model_is_found_by_file_id_or_name(library: ModelLibrary) -> None:
    for n in range(3):
        write_model(library.folder / f"{n}.distill", bells(model_id=f"{max(n, 1)}234567890"))
    with pytest.raises(LibraryError, match=r"3 models are called 'glockchen'.*0\.distill"):
        find_model(library, "glockchen")
    assert find_model(library, "2234").path.name == "2.distill"
    assert find_model(library, "0.distill").path.name == "0.distill"
    with pytest.raises(LibraryError, match="no model 'gong'"):
        find_model(library, "gong")


@pytest.mark.parametrize("what", ["~nobody-here", "x" * 300, "a/" * 3000, "a\0b", "\ud800", "", "."])
def test_odd_arguments_are_names_of_no_model(library: ModelLibrary, what: str) -> None:
    write_model(library.folder / "a.distill", bells())
    with pytest.raises(LibraryError, match="There is no model") as caught:
        find_model(library, what)
    assert len(str(caught.value)) < 200


def test_many_namesakes_are_not_all_listed(library: ModelLibrary) -> None:
    for n in range(9):
        write_model(library.folder / f"{n}.distill", bells(model_id=f"{n:032x}"))
    with pytest.raises(LibraryError, match=r"9 models are called 'Glöckchen'.*, …"):
        find_model(library, "Glöckchen")
