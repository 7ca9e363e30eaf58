"""Which text encoding a file has, found by reading all of it once in small pieces."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from burnish.errors import InputError

_CHUNK = 1 << 20
_MARKS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NON_ASCII = re.compile(r"[^\x00-\x7f]")
# Letters and signs that western European texts use; the rest of the code page is what mojibake is made of.
_WESTERN = frozenset("äöüßéèêëàâáãåæçñóòôõøœíìîïúùûÿýÄÖÜÉÈÀÁÂÅÆÇÑÓÔØŒÍÚ°§£€©®™«»·½¼¾²³±µ×¿¡´¨ªº–—‘’‚“”„…•†¢¥\xa0\xad")


@dataclass(frozen=True)
class Detected:
    """Name of a Python codec, and how it was found, for the report."""

    name: str
    note: str


@dataclass(frozen=True)
class _Fault:
    offset: int
    line: int
    reason: str


def detect(path: Path, stated: str = "auto") -> Detected:
    """Return the encoding of a text file, after decoding all of it with bounded memory.

    Tried in order: a byte-order mark, UTF-8, GB18030, Latin-1 (Windows-1252 where its extra signs occur). Korean of
    older encodings has the same bytes as common Chinese, and is refused.

    Raises:
        InputError: with byte offset and line, where the file does not decode or nothing is plausible.
    """
    if stated != "auto":
        return _stated(path, stated)
    with path.open("rb") as file:
        head = file.read(4096)
    for mark, name in _MARKS:
        if head.startswith(mark):
            if fault := _fault(path, name):
                raise _broken(path, name, fault)
            return Detected(name, f"{name.removesuffix('-sig').upper()} with a byte-order mark")
    if b"\0" in head:
        raise InputError(
            f"'{path}' holds zero bytes: a binary file, or UTF-16 without a byte-order mark; "
            "for the latter set data.encoding: utf-16-le"
        )
    fault = _fault(path, "utf-8")
    if line := _zero(path):
        keep = ", or keep such characters as they are with data.encoding: utf-8" if fault is None else ""
        raise InputError(f"{path}:line {line}: a zero byte in the text; remove it{keep}")
    if fault is None:
        return Detected("utf-8", "UTF-8")
    # Text of another encoding is nearly all wrong as UTF-8; a damaged UTF-8 file is nearly all right.
    if _share(path, "utf-8", lambda c: c != "\ufffd") > 2 / 3:
        raise _broken(path, "utf-8", fault)
    if _fault(path, "gb18030") is None and _share(path, "gb18030", _common_chinese) > 0.7:
        if _fault(path, "cp949") is None and _share(path, "cp949", _hangul) > 0.9:
            raise InputError(
                f"'{path}' is not valid UTF-8, and its characters are Korean or, less likely, Chinese; "
                "set data.encoding: cp949, or gb18030"
            )
        return Detected("gb18030", "GB18030 (not valid UTF-8, and the characters are common Chinese)")
    if _fault(path, "cp1252") is None and _share(path, "cp1252", _WESTERN.__contains__) > 0.9:
        name = "latin-1" if _share(path, "latin-1", lambda c: c < "\xa0") == 0.0 else "cp1252"
        return Detected(name, f"{name} (not valid UTF-8, and the characters are western European)")
    raise _broken(path, "utf-8", fault)


def _stated(path: Path, name: str) -> Detected:
    try:
        b"a".decode(name, "ignore")
    except LookupError:
        raise InputError(
            f"data.encoding: '{name}' is no text encoding that Python knows; "
            "use auto, utf-8, gb18030, latin-1, cp1252 or utf-16"
        ) from None
    if codecs.lookup(name).name == "utf-8":
        name = "utf-8-sig"  # reads files with and without a mark
    if fault := _fault(path, name):
        raise _broken(path, name, fault)
    return Detected(name, f"{name.removesuffix('-sig')}, as stated in the job")


def _broken(path: Path, name: str, fault: _Fault) -> InputError:
    return InputError(
        f"{path}:line {fault.line}: byte {fault.offset} is not valid {name.removesuffix('-sig')} ({fault.reason}); "
        "repair the file, or state what it is with data.encoding (for example gb18030 or latin-1)"
    )


def _fault(path: Path, name: str) -> _Fault | None:
    """Where the file first fails to decode; None when all of it decodes."""
    decoder = codecs.getincrementaldecoder(name)()
    before, line = 0, 1
    for chunk, final in _chunks(path):
        try:
            line += decoder.decode(chunk, final).count("\n")
        except UnicodeDecodeError as error:
            held = len(error.object) - len(chunk)  # bytes kept from the piece before
            good = error.object[: error.start].decode(name, "ignore")
            return _Fault(before - held + error.start, line + good.count("\n"), error.reason)
        except UnicodeError as error:  # UTF-16 without a mark
            return _Fault(before, line, str(error))
        before += len(chunk)
    return None


def _zero(path: Path) -> int:
    """Line of the first zero byte; 0 where there is none."""
    line = 1
    for chunk, _ in _chunks(path):
        if (place := chunk.find(b"\0")) >= 0:
            return line + chunk.count(b"\n", 0, place)
        line += chunk.count(b"\n")
    return 0


def _share(path: Path, name: str, plausible: Callable[[str], bool]) -> float:
    """Share of the characters beyond ASCII that are plausible."""
    decoder = codecs.getincrementaldecoder(name)("replace")
    counts: Counter[str] = Counter()
    for chunk, final in _chunks(path):
        counts.update(_NON_ASCII.findall(decoder.decode(chunk, final)))
    return sum(n for c, n in counts.items() if plausible(c)) / max(1, counts.total())


def _chunks(path: Path) -> Iterator[tuple[bytes, bool]]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk, False
    yield b"", True


def _hangul(character: str) -> bool:
    return "\uac00" <= character <= "\ud7a3"


def _common_chinese(character: str) -> bool:
    """Whether a character is in the punctuation rows or the frequent half (level 1) of GB 2312."""
    try:
        lead = character.encode("gb2312")[0]
    except UnicodeEncodeError:
        return False
    return 0xA1 <= lead <= 0xA3 or 0xB0 <= lead <= 0xD7
