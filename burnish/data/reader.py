"""What turns the inputs of rows into what a network reads, where they are no text."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from burnish.config import Tune
from burnish.data.features import Batch, Features
from burnish.data.parts import Grid
from burnish.data.rows import Row, Rows
from burnish.errors import InputError

FILE = "preprocessor_config.json"


class Reader(ABC):
    """Takes the place that a tokenizer has for texts.

    A new kind of input is a file with a subclass, a line in `burnish.data.readers.READERS`, and a column of its name in
    `burnish.config.Columns`. Its rows carry the path of a file under that name.
    """

    about_numbers: ClassVar[str]  # what `numbers` gives, for the name of a baseline
    kind: ClassVar[str]  # name of the column, and of what a network must read
    pad_token_id: ClassVar[int] = 0  # nothing is padded
    baseline: ClassVar[str] = "linear"  # linear or trees: what is fitted to `numbers` to stand beside a model
    verbs: ClassVar[frozenset[str]] = frozenset()  # of those that need more than the methods that every reader has

    ways: ClassVar[Mapping[str, tuple[float, ...]]] = {}  # how `corrupted` makes an input worse, and how strongly

    @classmethod
    @abstractmethod
    def start(cls, place: str, tune: Tune, train: Rows) -> Self:
        """The reader of a pretrained model, or, with no `place`, one for a network that starts from random weights.

        Raises:
            InputError: when an option of `tune` does not go with the model.
        """

    @classmethod
    @abstractmethod
    def open(cls, folder: str | Path) -> Self:
        """The reader that `save_pretrained` wrote.

        Raises:
            InputError: when it is missing or damaged.
        """

    @abstractmethod
    def save_pretrained(self, folder: str | Path) -> None:
        """Write what `open` needs, in transformers' form."""

    @staticmethod
    @abstractmethod
    def fault(path: Path) -> str | None:
        """Why a file cannot be read, all of it looked at; None when it can."""

    @staticmethod
    def shown(given: Any) -> str:
        """What a report shows of one input: the name of its file and of the folder that holds it."""
        return "/".join(Path(str(given)).parts[-2:])

    @abstractmethod
    def is_one(self, given: Any) -> bool:
        """Whether what a user hands to `predict` is one input and not several."""

    @abstractmethod
    def row(self, given: Any) -> Row:
        """Turn what a user hands to `predict` into a row.

        Raises:
            InputError: when it is of another kind.
        """

    def fields(self) -> dict[str, dict[str, Any]]:
        """What an input that comes over a network consists of, by name, where it is an object; nothing of a file.

        Each has a `type`: `number`, with `low`, `high` and `typical`; `category`, with the most frequent `values`, how
        many there are (`of`) and the `typical` one; `text`; `file`, with its `kind`; or `object`, with `fields` again.
        """
        return {}

    def from_request(self, given: str) -> Row:
        """The row of a file that came over a network: its bytes as base64, with or without `data:...;base64,` before
        it. It is never taken for a path. Where an input is an object, its JSON.

        Raises:
            InputError: when it is no base64, or empty.
        """
        head, comma, after = given.partition(",")
        written = after if comma and head.startswith("data:") and head.endswith(";base64") else given
        try:
            content = b64decode("".join(written.split()), validate=True)
        except ValueError:
            raise InputError(f"the {self.kind} is no base64; send the bytes of a file in it, and no path") from None
        if not content:
            raise InputError(f"the {self.kind} is empty (0 bytes)")
        return {self.kind: content}

    def example(self) -> str:
        """A made-up input as `from_request` takes it, for timing."""
        raise NotImplementedError

    @abstractmethod
    def features(self, rows: Sequence[Row]) -> Features:
        """Model inputs of rows, a piece each, without targets."""

    def is_whole(self, row: Row) -> bool:
        """Whether a network is given all of a row's input, and nothing of it is cut off."""
        return True

    def varying(self, tune: Tune) -> Self:
        """The same, that varies batches as a job says."""
        return self

    @abstractmethod
    def vary(self, batch: Batch, draw: torch.Generator) -> Batch:
        """A training batch changed at random in ways that keep its meaning, drawn on the CPU."""

    def gathered(self, batches: Iterable[Batch]) -> Features:
        """Batches of `features`, varied or as they are, as features again."""
        raise NotImplementedError

    @abstractmethod
    def numbers(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """What a linear model may read of rows, shape (n, numbers)."""

    def parts(self, row: Row) -> Grid:
        """A row in the parts that an explanation may leave out.

        Raises:
            InputError: when its file cannot be read.
        """
        raise NotImplementedError

    def corrupted(self, row: Row, way: str, strength: float, seed: int) -> Row:
        """A row made worse in one of `ways`, the same for the same row and seed; the row itself where that changes
        nothing."""
        raise NotImplementedError

    def traits(self, rows: Sequence[Row]) -> Mapping[str, NDArray[Any]]:
        """Numbers (NaN where there is none) or texts by which rows differ, by name, (rows,): where a model may be worse
        than elsewhere."""
        return {}

    def made_up(self, count: int, draw: np.random.Generator) -> Features:
        """Random inputs of `count` rows, nobody's data, for trying whether two forms of a network agree."""
        raise NotImplementedError

    def picture(self, row: Row) -> str:
        """What a row looks like, small, as a `data:` URI; empty where that says nothing."""
        return ""


@dataclass(frozen=True)
class Described(Reader):
    """A reader that a `preprocessor_config.json` describes, as transformers has them.

    Attributes:
        document: what is in it.
        vary_by: as `tune.vary`.
    """

    usual_way: ClassVar[str] = "none"  # of varying inputs, with tune.vary: auto
    document: Mapping[str, Any]
    vary_by: str = "none"

    @classmethod
    def way(cls, tune: Tune) -> str:
        """How a job varies inputs."""
        return cls.usual_way if tune.vary == "auto" else tune.vary

    def varying(self, tune: Tune) -> Self:
        return replace(self, vary_by=self.way(tune))

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        path = Path(folder, FILE)
        try:
            reader = cls(json.loads(path.read_text(encoding="utf-8")))
            reader.must_be_complete()
        except (OSError, ValueError, TypeError, KeyError, AttributeError, InputError) as error:
            raise InputError(f"'{path}' is missing or damaged ({error}); copy or tune the model again") from None
        return reader

    @abstractmethod
    def must_be_complete(self) -> None:
        """Look at all that the document has to say; any error will do."""

    def save_pretrained(self, folder: str | Path) -> None:
        Path(folder, FILE).write_text(json.dumps(dict(self.document), indent=1) + "\n", encoding="utf-8")
