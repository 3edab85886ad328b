"""How Distill starts.

Two programs hide behind one name.  ``distill`` and ``distill FOLDER`` open the window; ``distill train ...`` and the
other commands work in a terminal.  `main` decides by the arguments alone, before anything heavy is imported:

1. `multiprocessing.freeze_support`, first of all.  In the frozen application a helper process is this same program
   started again, and must turn into the helper before it opens a second window.  `distill.process.environment` then
   puts right what the frozen application's loader did to the environment.
2. A command or an option: `distill.cli.app`, which imports typer at once, and torch only inside the command that needs
   it, so that ``distill --version`` answers at once.
3. Otherwise the window: `distill.diagnostics` first, so that whatever fails from here on is in the log; then
   `distill.gui.app`, which imports Qt.  torch takes up to two seconds to import and must not be among what this
   module, ``distill.gui`` or anything under them imports: it comes in the background, once the window is painted.

Nothing is imported at the top of this module but the standard library and what needs nothing else, so that each way
pays for its own imports only.
"""

try:
    import gc
    import multiprocessing
    import os
    import signal
    import sys
    from pathlib import Path

    from distill.distributed import torchrun
    from distill.process import environment
    from distill.process.stop_signals import EXIT_STOPPED
except KeyboardInterrupt:  # Ctrl-C within the first moment: nothing was begun
    raise SystemExit(130) from None

#: Commands of `distill.cli.app`, named here so that the window need not import it; a test holds the two together.
COMMANDS = frozenset(
    ("train", "resume", "finish", "inspect", "sample", "vary", "morph", "extend", "repaint", "transform",
     "reconstruct", "remake", "encode", "decode", "models", "runs", "kit", "map", "play",
     "queue", "compare")
)  # fmt: skip

#: Opens a window beside the one that is open; without it that one comes to the front.
NEW_WINDOW = "--new-window"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line ``arguments`` (default: those of the process) and return the exit code."""
    try:
        code = _run(arguments)
    except KeyboardInterrupt:  # while the program was loaded: what the commands do with Ctrl-C is up to them
        code = EXIT_STOPPED
    if arguments is None:  # the process ends now, and Ctrl-C can only end it sooner
        signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(code))
    return code


def _run(arguments: list[str] | None) -> int:
    multiprocessing.freeze_support()
    environment.restore_environment()
    environment.limit_spinning()
    words = sys.argv[1:] if arguments is None else arguments
    if reason := torchrun.refusal(words):
        torchrun.leave_word_to_first()
        print(f"distill: {reason}", file=sys.stderr)
        return 2
    if _is_for_the_window([word for word in words if word != NEW_WINDOW]):
        return _open_window(words)
    if words[0] not in COMMANDS and not words[0].startswith("-"):
        print(f"distill: {words[0]!r} is no command, folder or .distill file. See: distill --help", file=sys.stderr)
        return 2
    from distill.cli import app

    return _end(app.main(words))


def _end(code: int) -> int:
    """Return an exit code; where work hangs that Python would wait for, end the process with it."""
    from distill.computing.unresponsive_drives import is_left_behind

    if is_left_behind():
        from distill import diagnostics

        diagnostics.stop()
        os._exit(code)
    return code


def main_gui() -> int:
    """Open the window whatever the arguments say: the entry of the desktop icon, which has no terminal to print to."""
    multiprocessing.freeze_support()
    environment.restore_environment()
    environment.limit_spinning()
    environment.ensure_std_streams()
    new_window = [word for word in sys.argv[1:] if word == NEW_WINDOW]
    return _open_window([*new_window, *[word for word in sys.argv[1:] if _is_openable(word)][:1]])


def _is_for_the_window(words: list[str]) -> bool:
    """Whether the words are nothing, or one thing to open; a folder named like a command is written ``./train``."""
    if not words:
        return True
    return len(words) == 1 and words[0] not in COMMANDS and not words[0].startswith("-") and _is_openable(words[0])


def _is_openable(argument: str) -> bool:
    """Whether the window can show what is named on the command line: a folder of sounds, or a model."""
    argument_path = Path(argument)
    return argument_path.is_dir() or (argument_path.suffix.lower() == ".distill" and argument_path.is_file())


def _open_window(words: list[str]) -> int:
    if sys.platform == "linux" and not any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    ):
        print(
            "There is no screen to open the window on. Train in the terminal instead: distill train FOLDER",
            file=sys.stderr,
        )
        return 1
    from distill import diagnostics
    from distill.housekeeping import tidy_own_folders
    from distill.process.torch_libraries import load_torch_before_qt

    gc.disable()  # nothing that is imported is garbage; later the window collects, see `distill.gui.window.gc_timer`
    diagnostics.start()
    tidy_own_folders()
    load_torch_before_qt()
    try:
        from distill.gui.app import run

        paths = [Path(word) for word in words if word != NEW_WINDOW]
        return run(paths[0] if paths else None, new_window=NEW_WINDOW in words)
    except Exception as error:  # a border: who has double-clicked sees no terminal, and would wait for a window
        report = diagnostics.report(error, "start")
        print(report.details, file=sys.stderr)
        from distill.gui.window.startup_error import show_failure

        show_failure(report, diagnostics.log_file())
        return 1


if __name__ == "__main__":
    sys.exit(main())
