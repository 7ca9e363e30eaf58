"""Redaction that can be taken back: what stands behind a placeholder is kept in a vault."""

from __future__ import annotations

import re

_PLACEHOLDER = re.compile(r"<[A-Z][A-Z_-]*_[0-9]+>")


class Vault:
    """The originals of one conversation, in memory, each under a placeholder such as <PERSON_1>.

    The same original has the same placeholder in all texts of the conversation. What looks like a placeholder in a text
    that comes in is put into the vault as well, so that nobody can ask for an original by its number, and `restore`
    gives back exactly what was there.
    """

    def __init__(self) -> None:
        self._originals: dict[str, str] = {}
        self._placeholders: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def put(self, kind: str, original: str) -> str:
        """The placeholder of an original."""
        found = self._placeholders.get((kind, original))
        if found is None:
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            found = f"<{name(kind)}_{number}>"
            self._placeholders[kind, original] = found
            self._originals[found] = original
        return found

    def restore(self, text: str) -> str:
        """The text with the originals in place of this vault's placeholders."""
        return _PLACEHOLDER.sub(lambda match: self._originals.get(match[0], match[0]), text)

    def __len__(self) -> int:
        return len(self._originals)

    def __repr__(self) -> str:
        return f"Vault({len(self)} originals)"


def name(kind: str) -> str:
    """A kind as it stands in a placeholder."""
    return re.sub(r"[^A-Z_]", "_", kind.upper()).strip("_") or "HIDDEN"


def redacted(text: str, spans: list[tuple[int, int, str]], vault: Vault | None) -> str:
    """The text with placeholders in place of spans; those that overlap become one, of the kind of the longest."""
    if vault is not None:
        spans = spans + [(*match.span(), "literal") for match in _PLACEHOLDER.finditer(text)]
    joined: list[tuple[int, int, str, int]] = []
    for start, end, kind in sorted(spans):
        if joined and start < joined[-1][1]:
            first, last, named, longest = joined[-1]
            named, longest = (kind, end - start) if end - start > longest else (named, longest)
            joined[-1] = first, max(last, end), named, longest
        else:
            joined.append((start, end, kind, end - start))
    parts: list[str] = []
    at = 0
    for start, end, kind, _ in joined:
        parts += text[at:start], vault.put(kind, text[start:end]) if vault is not None else f"<{name(kind)}>"
        at = end
    return "".join([*parts, text[at:]])
