"""Takes names, folders and users out of text, so that it can be sent to a developer.

What is known to be private (`private_names`) is replaced wherever it stands.  What is not known is found by its form:
a path, or a word that ends as a sound or a model does.  A name may hold spaces, colons and quotes, so it cannot be told
where an unknown path ends: the rest of its line is then replaced too.  Rather a sentence less than a name too many.

A name becomes the same token wherever it stands in one report, and another one in the next: the hash has a random key,
because "kick.wav" could be guessed from a plain hash.
"""

import hashlib
import json
import re
import secrets
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

#: Shortest name that is replaced wherever it is a word of its own.  Shorter ones are found in paths and file names.
MIN_NAME = 3
#: A longer line is left out.
MAX_LINE = 4000
#: Folders that say nothing of their owner.
_COMMON = {
    "home", "users", "user", "root", "mnt", "media", "volumes", "run", "tmp", "temp", "var", "usr", "opt", "etc", "srv",
    "private", "data", "local", "share", "state", "config", "cache", ".local", ".cache", ".config", "library",
    "appdata", "roaming", "documents", "desktop", "downloads", "music", "audio", "sounds", "samples", "wav", "distill",
    "log", "logs",
}  # fmt: skip
#: Endings of files whose names are private, which a token keeps: also of all sounds that a search of a folder reports.
_ENDINGS = (
    "wav|wave|bwf|aif|aiff|aifc|flac|ogg|oga|opus|spx|mp3|mp2|mp1|mpga|caf|caff|au|snd|w64|rf64|bw64|svx|8svx|16sv|iff|"
    "avr|htk|ircam|sf|nist|sph|paf|pvf|sd2|sds|voc|wve|xi|raw|gsm|m4a|m4b|m4p|m4r|m4v|mp4|mov|qt|3gp|3g2|aac|adts|ac3|"
    r"eac3|wma|asf|wmv|ape|wv|tta|mpc|mp\+|ofr|shn|amr|awb|dsf|dff|dts|webm|weba|mka|mkv|ogv|ogm|avi|mpg|mpeg|mts|m2ts|"
    "flv|f4a|f4v|ra|rm|rmvb|mlp|thd|oma|aa3|at3|vob|sf2|sfz|mid|midi|distill|npz|zip|pt|png|svg|csv|dspreset"
)
_ENDING = re.compile(rf"\.(?:{_ENDINGS})$", re.IGNORECASE)
_FILE = re.compile(rf"\.(?:{_ENDINGS})(?!\w)", re.IGNORECASE)
#: After this the name of a file may begin, in a sentence of the program's: by the quote that follows the name.
_BEFORE_FILE = {
    "'": re.compile(r"(?:^|(?<=[\s(\[=]))'"), '"': re.compile(r'(?:^|(?<=[\s(\[=]))"'), "": re.compile(": "),
}  # fmt: skip
#: What is in place of a whole path; nothing that belongs to its name can stand before it.
_WHOLE_PATH = re.compile(r"(?:<file [\da-f]+>|<[a-z]+>(?:[\\/](?:<name [\da-f]+>|[^\s<>\\/]+))+)$")
_FRAME = re.compile(r'^(?P<head>[\s|+]*File )"(?P<path>[^"]*)"(?P<tail>, line \d+.*)$')
#: What a line of the log begins with: time, process, thread, level.
_LOG_HEAD = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \d+ .*? (?:DEBUG|INFO|WARNING|ERROR|CRITICAL) ")
#: Where the code of the program and of its libraries begins in a path.
_CODE = re.compile(r"[\\/](?:site-packages|dist-packages|_internal|lib[\\/]python3\.\d+|src(?=[\\/]distill[\\/]))[\\/]")
_CODE_FILE = re.compile(r"(?:[\w.+-]+/)*[\w.+-]+\.(?:py|pyi|pyx|so)")
_START = (
    r"(?i:file(?::|%3a)(?:/|%2f)+)|(?i:smb|cifs|afp|nfs|s?ftp|davs?|ssh|mtp)://"  # addresses of files
    r"|[A-Za-z]:[\\/](?=\S)|\\{2,}(?=[\w?.])"  # of a disk or a computer, on Windows; doubled by Python
    r"|~\w*[\\/]|\$\{?\w+\}?[\\/]|%\w+%[\\/]|\.{1,2}[\\/](?=\w)"  # of the home, of a variable, of the working folder
    r"|(?<!:)//(?=\w)|/(?=[^\s/])|(?i:%2f)(?=\w)"
)
#: Where a path begins; what ends like a token of ours goes on with the rest of a known path.
_ROOT = re.compile(rf"(?<![\w.…/\\])(?<!\w>)(?:{_START})")
#: A path in quotes, as Python writes it; an apostrophe within a word ends none.
_QUOTED = re.compile(rf"""(?P<quote>['"])(?P<path>(?:{_START})(?:(?!(?P=quote)(?!\w)).)*)(?P=quote)""")
_TOKEN = r"<\w+ [\da-f]+>"
#: Who is meant in an address: of mail, of an account on another computer, and within an address of the web.
_ADDRESS = re.compile(rf"(?:{_TOKEN}|[\w.+%-])+@(?:{_TOKEN}|[\w.-])+")
_ACCOUNT = re.compile(rf"(?<=://)(?:{_TOKEN}|[^/\s@])+@")
_PLACE = re.compile(r"<(?:home|data|cache|log|settings|temporary)>(?=[\\/]|$)")
#: Distill's own names in its own folders; what else lies there has a name of the user's.
_OWN = re.compile(
    r"[\\/]+(?:<[\w ]+>(?:\.\w+)?|runs|models|checkpoints|previews|made|demo-sounds|"
    r"checkpoint_epoch\d+(?:\.meta)?\.(?:pt|json)|(?:preview|recon)_epoch\d+\w*\.wav|model\.distill|run\.lock|"
    r"(?:run|training|queue|library|settings|figures|speed|runs|starred)\.json|(?:history|index)\.jsonl|"
    r"(?:distill|crash)\.log(?:\.\d+)?)(?![^\\/:,;'\")\s])"
)
_WORD = re.compile(r"[^\W_]+")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Redactor:
    """Replaces private parts of text by tokens.

    Parameters
    ----------
    names
        Names, file names and whole paths that are private.
    places
        Folders to what they are called in the text, such as ``{"/mnt/anna": "<data>"}``.
    key
        Of the hash; random where none is given.
    """

    def __init__(self, names: Iterable[str], places: dict[str, str] | None = None, key: bytes | None = None) -> None:
        self._key = secrets.token_bytes(16) if key is None else key
        # For each first word: length of the names, and where the word begins in them, to the names and their tokens.
        self._by_first_word: dict[str, dict[tuple[int, int], dict[str, str]]] = {}
        self._wordless: list[tuple[str, str]] = []
        for name in sorted({*names}, key=len, reverse=True):
            self._add(name, self.token(name))
        for path, called in sorted((places or {}).items(), key=lambda item: -len(item[0])):
            self._add(path, called)
        self._longest_first = {word: sorted(found.items(), reverse=True) for word, found in self._by_first_word.items()}

    def _add(self, name: str, token: str) -> None:
        for written in {_folded(name), name.casefold()}:
            first = _WORD.search(written)
            if first is not None:
                found = self._by_first_word.setdefault(first[0], {})
                found.setdefault((len(written), first.start()), {}).setdefault(written, token)
            elif not name.isascii():  # pictures
                self._wordless.append((name, token))

    def token(self, name: str) -> str:
        """Return what stands for a name: a hash, with the ending of a known kind of file."""
        ending = _ENDING.search(name)
        stem = name[: ending.start()] if ending else name
        stem = re.split(r"[\\/]", stem.rstrip("\\/"))[-1]
        kind = "file" if _ROOT.match(name) else "name"
        digest = hashlib.blake2b(stem.casefold().encode(errors="replace"), key=self._key, digest_size=4).hexdigest()
        return f"<{kind} {digest}>{ending[0].lower() if ending else ''}"

    def text(self, text: str) -> str:
        """Return text of several lines without what is private.  Lines of code in a traceback stay as they are."""
        lines, is_code = [], False
        for line in text.splitlines():
            frame = _FRAME.match(line)
            if len(line) > MAX_LINE:
                lines.append(f"<a line of {len(line)} characters>")
            elif frame is not None:
                path = self.code_path(frame["path"])
                is_code = not path.startswith(("<name", "<file"))
                lines.append(f'{frame["head"]}"{path}"{frame["tail"]}')
            elif is_code and line.startswith("    "):
                lines.append(line)
            else:
                is_code = False
                head = _LOG_HEAD.match(line)
                start = head.end() if head else 0
                lines.append(line[:start] + self._line(line[start:]))
        return "\n".join(lines)

    def code_path(self, path: str) -> str:
        """Return the path of a source file from the package on; a token for a file that is none of the program's."""
        if path.startswith("<"):
            return path  # <string>, <frozen importlib>
        places = list(_CODE.finditer(path))
        inside = path[places[-1].end() :] if places else path
        inside = inside.replace("\\", "/")
        return f"…/{inside}" if _CODE_FILE.fullmatch(inside) else self.token(path)

    def value(self, value: Any) -> Any:
        """Return plain data without what is private: numbers stay, and text goes through `text`."""
        if isinstance(value, dict):
            return {self._line(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def _line(self, line: str) -> str:
        line = _QUOTED.sub(lambda found: f"{found['quote']}{self._path(found['path'])}{found['quote']}", line)
        line = self._without_known(line)
        for who in (_ACCOUNT, _ADDRESS):
            line = who.sub(lambda found: self.token(found[0]) + "@" * found[0].endswith("@"), line)
        return self._without_files(self._without_paths(line))

    def _path(self, path: str) -> str:
        """Return a whole path: from a known folder on where it lies in one, a token otherwise."""
        known = self._without_known(path)
        place = _PLACE.match(known)
        if place is None:
            return self.token(path)
        end = _end_of_own(known, place.end())
        return known[:end] if end == len(known) else f"{known[:end]}/{self.token(known[end:])}"

    def _without_known(self, text: str) -> str:
        """Replace known names where they stand as words of their own, the longest first."""
        for name, token in self._wordless:
            text = text.replace(name, token)
        parts, done, folded = [], 0, _folded(text)
        for word in _WORD.finditer(folded):
            if word.start() < done:
                continue
            for (length, lead), names in self._longest_first.get(word[0], ()):
                begin = word.start() - lead
                found = names.get(folded[begin : begin + length]) if begin >= done else None
                if found is not None and self._is_whole(folded, begin, length):
                    parts += [text[done:begin], found]
                    done = begin + length
                    break
        return "".join([*parts, text[done:]])

    @staticmethod
    def _is_whole(text: str, begin: int, length: int) -> bool:
        """Whether what stands there is not a part of a longer word."""
        end = begin + length
        starts = begin == 0 or not (text[begin].isalnum() and text[begin - 1].isalnum())
        return starts and (end == len(text) or not (text[end - 1].isalnum() and text[end].isalnum()))

    def _without_paths(self, line: str) -> str:
        """Replace paths that are not known, to the end of the line."""
        place, root = _PLACE.search(line), _ROOT.search(line)
        if place is not None and (root is None or place.start() < root.start()):
            end = _end_of_own(line, place.end())
            if line[end : end + 1] not in ("/", "\\"):
                return line[:end] + self._without_paths(line[end:])
            return f"{line[:end]}/{self.token(line[end:])}"
        return line if root is None else line[: root.start()] + self.token(line[root.start() :])

    def _without_files(self, line: str) -> str:
        """Replace names of files that are not known, from the first mark behind which the name may have begun."""
        parts, done = [], 0
        for ending in _FILE.finditer(line):
            if ending.start() < done:
                continue
            marks = _BEFORE_FILE.get(line[ending.end() : ending.end() + 1], _BEFORE_FILE[""])
            begin = next((mark.end() for mark in marks.finditer(line, done, ending.start())), done)
            piece = line[begin : ending.start()]
            if re.fullmatch(r"<name [\da-f]+>", piece) or _WHOLE_PATH.search(piece):
                parts.append(line[done : ending.end()])
            else:
                parts += [line[done:begin], self.token(line[begin : ending.end()])]
            done = ending.end()
        return "".join([*parts, line[done:]])


def private_names(paths: Iterable[str], names: Iterable[str]) -> set[str]:
    """Return what must not be in a report: each path and name, without its ending too, and each folder on the way.

    Of a path that is relative only the parts count.
    """
    found: set[str] = set()
    for text in paths:
        kind = PureWindowsPath if "\\" in text or re.match(r"[A-Za-z]:", text) else PurePosixPath
        path = kind(text)
        if path.anchor:
            found.add(text)
        parts = [part for part in path.parts if part != path.anchor and not _OWN.fullmatch(f"/{part}")]
        for part in parts:
            if part.casefold() not in _COMMON:
                found |= _forms(part)
    for name in names:
        found |= _forms(name)
    return {name for name in found if len(name) >= MIN_NAME}


def _folded(text: str) -> str:
    """Return text in small letters, as long as it was: letters whose small form is longer stay."""
    folded = text.casefold()
    if len(folded) == len(text):
        return folded
    return "".join(small if len(small := letter.casefold()) == 1 else letter for letter in text)


def _end_of_own(text: str, end: int) -> int:
    """Return where a path stops to consist of Distill's own names."""
    while (own := _OWN.match(text, end)) is not None:
        end = own.end()
    return end


def _forms(name: str) -> set[str]:
    """Return a name as it may be written.

    That is: with and without its ending, composed and decomposed, as Python and JSON write it, its lines by themselves,
    and with what stands for bytes that are no text.
    """
    ending = _ENDING.search(name)
    forms = {name, name[: ending.start()], *name.splitlines()} if ending else {name, *name.splitlines()}
    forms |= {unicodedata.normalize(form, text) for text in tuple(forms) for form in ("NFC", "NFD")}
    forms |= {_SURROGATE.sub(mark, text) for text in tuple(forms) for mark in ("?", "\ufffd")}
    return forms | {write(text)[1:-1] for text in tuple(forms) for write in (repr, json.dumps)}
