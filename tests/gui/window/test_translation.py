"""Every text that a person reads goes through `tr()`, so that Distill can be translated without touching the code."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from distill import gui

FOLDER = Path(gui.__file__).parent

#: Where a call takes text: of which arguments, by place; None for all.
METHODS: dict[str, tuple[int, ...] | None] = {
    **dict.fromkeys(
        (
            "setText", "setToolTip", "setAccessibleName", "setAccessibleDescription", "setPlaceholderText",
            "setWindowTitle", "setTitle", "setStatusTip", "setWhatsThis", "setLabelText", "setInformativeText",
            "setDetailedText", "setPrefix", "setSuffix", "setSpecialValueText", "setIconText", "addItem", "addMenu",
            "addAction", "addRow", "addButton", "addSection", "showMessage", "setToolTipText",
        ),
        (0,),
    ),
    "addItems": None, "setHeaderLabels": None, "setHorizontalHeaderLabels": None, "setVerticalHeaderLabels": None,
    "setNameFilter": None, "setNameFilters": None,
    "addTab": (1,), "setTabText": (1,), "setTabToolTip": (1,), "setItemText": (1,), "insertItem": (1,),
    "insertTab": (2,), "tell": (1,),
    **dict.fromkeys(("QPushButton", "QLabel", "QCheckBox", "QRadioButton", "QGroupBox", "QToolButton", "QMenu"), (0,)),
    **dict.fromkeys(("QAction", "QListWidgetItem", "QTableWidgetItem"), (0, 1)),
    "QMessageBox": (1, 2), "QFileDialog": (1,), "QUndoCommand": (0,),
    "EmptyState": (1, 2), "Panel": (0,), "NoticeAction": (0,), "KeyGroup": (0,), "KeyHelp": (1,),
    "field_label": (0,), "_field_label": (0,),
}  # fmt: skip

#: Names of arguments that are texts, whatever is called.
KEYWORDS = frozenset({"text", "title", "toolTip", "placeholderText", "windowTitle", "accessibleName"})

#: Methods of a text that are text again.
OF_TEXT = frozenset({"format", "join", "replace", "strip", "upper", "lower", "capitalize", "removesuffix"})

#: Words that are the same in every language: the program's name.
SAME_EVERYWHERE = ("Distill",)

Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Module


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _name(path: Path) -> str:
    return path.relative_to(FOLDER).with_suffix("").as_posix()


def name_of(call: ast.Call) -> str:
    """Return what is called, without what it belongs to."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def is_translation(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    is_lookup = ast.unparse(node.func) in ("QCoreApplication.translate", "translate")  # a painter has another one
    return is_lookup or name_of(node) == "tr"


def literals(
    node: ast.expr, scopes: tuple[Scope, ...], seen: frozenset[str] = frozenset()
) -> Iterator[tuple[int, str]]:
    """Return the texts that an expression may come to and that are not translated, with their lines."""
    if is_translation(node):
        return
    if isinstance(node, (ast.Constant, ast.JoinedStr)):
        yield node.lineno, literal_text(node)
    for part in _parts(node):
        yield from literals(part, scopes, seen)
    if isinstance(node, ast.Name) and node.id not in seen:
        for value in _values_of(node.id, scopes):
            yield from literals(value, scopes, seen | {node.id})


def literal_text(node: ast.Constant | ast.JoinedStr) -> str:
    """Return what stands between the quotation marks, with empty braces for what is filled in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)


def _parts(node: ast.expr) -> list[ast.expr]:
    """Return the parts of an expression that end up in its text."""
    match node:
        case ast.IfExp():
            return [node.body, node.orelse]
        case ast.BoolOp():
            return node.values
        case ast.JoinedStr():
            return [part for part in node.values if isinstance(part, ast.FormattedValue)]
        case ast.BinOp():
            return [node.left, node.right]
        case ast.FormattedValue() | ast.Starred() | ast.NamedExpr():
            return [node.value]
        case ast.List() | ast.Tuple() | ast.Set():
            return node.elts
        case ast.Dict():
            return node.values
        case ast.Subscript():
            return [node.value]
        case ast.GeneratorExp() | ast.ListComp():
            return [node.elt]
        case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr == "get":
            return [value, *node.args[1:]]
        case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in OF_TEXT:
            return [value, *node.args]
    return []


def _values_of(name: str, scopes: tuple[Scope, ...]) -> Iterator[ast.expr]:
    """Return what a name is given in the function that it is used in, or in the module."""
    for scope in scopes:
        nodes = _outside_functions(scope) if isinstance(scope, ast.Module) else ast.walk(scope)
        found = [value for node in nodes for value in _given(node, name)]
        if found:
            yield from found
            return


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """Return the nodes of a module that no function has as its own."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from _outside_functions(child)


def _given(node: ast.AST, name: str) -> Iterator[ast.expr]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _matched(target, node.value, name)
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield from _matched(node.target, node.value, name)
    elif isinstance(node, (ast.For, ast.comprehension)):
        rows = node.iter
        if isinstance(rows, ast.Call) and name_of(rows) in ("zip", "enumerate") and isinstance(node.target, ast.Tuple):
            columns = [ast.Tuple([], ast.Load()), rows.args[0]] if name_of(rows) == "enumerate" else rows.args
            for target, column in zip(node.target.elts, columns, strict=False):
                if isinstance(column, (ast.Tuple, ast.List)):
                    for row in column.elts:
                        yield from _matched(target, row, name)
        elif isinstance(rows, (ast.Tuple, ast.List, ast.Set)):
            for row in rows.elts:
                yield from _matched(node.target, row, name)


def _matched(target: ast.expr, value: ast.expr, name: str) -> Iterator[ast.expr]:
    """Return what of a value a name gets, where names stand in a row."""
    if isinstance(target, ast.Name):
        if target.id == name:
            yield value
    elif isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, (ast.Tuple, ast.List)):
        for one, other in zip(target.elts, value.elts, strict=False):
            yield from _matched(one, other, name)


def texts_of(call: ast.Call) -> list[ast.expr]:
    """Return the arguments of a call that are texts."""
    name = name_of(call)
    is_widget = name in METHODS or name.startswith("Q")
    texts = [keyword.value for keyword in call.keywords if is_widget and keyword.arg in KEYWORDS]
    positions = METHODS.get(name, ())
    return [*texts, *(arg for n, arg in enumerate(call.args) if positions is None or n in positions)]


def calls(node: ast.AST, scopes: tuple[Scope, ...]) -> Iterator[tuple[ast.Call, tuple[Scope, ...]]]:
    """Return all calls, each with the functions around it, from the inside."""
    inside = (node, *scopes) if isinstance(node, Scope) else scopes
    if isinstance(node, ast.Call):
        yield node, inside
    for child in ast.iter_child_nodes(node):
        yield from calls(child, inside)


def has_word(text: str) -> bool:
    """Whether there is a word in a text: two letters, outside of placeholders and tags."""
    left = re.sub(r"\{[^}]*\}|<[^>]*>|&\w+;|" + "|".join(SAME_EVERYWHERE), " ", text).replace("&", "")
    return re.search(r"[^\W\d_]{2}", left) is not None


def untranslated(tree: ast.Module) -> list[tuple[int, str]]:
    """Return the texts for people that are not translated, with their lines."""
    found = {
        (line, text)
        for call, scopes in calls(tree, ())
        for argument in texts_of(call)
        for line, text in literals(argument, scopes)
        if has_word(text)
    }
    return sorted(found)


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=_name)
def test_texts_go_through_tr(path: Path) -> None:
    assert untranslated(tree_of(path)) == []


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=_name)
def test_what_is_filled_in_is_filled_in_after_translating(path: Path) -> None:
    """A text that is put together before it is looked up is never found."""
    translations = [node for node in ast.walk(tree_of(path)) if is_translation(node)]
    found = [
        node.lineno
        for call in translations
        for argument in getattr(call, "args", ())
        for node in ast.walk(argument)
        if isinstance(node, (ast.JoinedStr, ast.BinOp, ast.Call))
    ]
    assert found == []


#: Two words and more, of which the first begins with a capital letter; or three and more, up to the end.
PROSE = re.compile(r"^[^\W\d_a-z][^\W\d_]+,? [^\W\d_]{2,}|([^\W\d_]{2,},? ){2,}[^\W\d_]{2,}[.!?…]?$")

#: What reads like prose and is none, by why.
_FOLDER_NAME = "the name of a folder, which must be found again in any language"
NO_PROSE = {
    "Deleted models": _FOLDER_NAME, "Deleted sounds": _FOLDER_NAME,
    "restoring the window": "for the log", "closing the window": "for the log",
}  # fmt: skip


def unreadable(node: ast.AST) -> bool:
    """Whether what is under a node is not for people: a translation, a note for the log, an error of the programmer."""
    if isinstance(node, ast.Call):
        of = node.func.value if isinstance(node.func, ast.Attribute) else None
        return is_translation(node) or (isinstance(of, ast.Name) and of.id in ("log", "re"))
    return isinstance(node, (ast.Raise, ast.Assert)) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def prose(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Return what reads like a sentence or a title and is not translated."""
    for child in ast.iter_child_nodes(node):
        if unreadable(child):
            continue
        if isinstance(child, (ast.Constant, ast.JoinedStr)) and PROSE.search(text := literal_text(child)):
            yield child.lineno, text
        if isinstance(child, ast.IfExp):  # one of two texts, of which the other one is translated
            branches = child.body, child.orelse
            others = [n for n in branches if isinstance(n, (ast.Constant, ast.JoinedStr)) and has_word(literal_text(n))]
            if len(others) == 1 and any(is_translation(n) for branch in branches for n in ast.walk(branch)):
                yield child.lineno, literal_text(others[0])
        yield from prose(child)


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=_name)
def test_no_sentence_is_left_out(path: Path) -> None:
    found = [(line, text) for line, text in prose(tree_of(path)) if text not in NO_PROSE]
    assert found == []
