"""Optional libraries: import them, or say what to install."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

from burnish.errors import MissingExtra


def have(module: str) -> bool:
    """Whether `module` can be imported, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def need(module: str, extra: str) -> ModuleType:
    """Import `module`, which the extra `extra` brings.

    Raises:
        MissingExtra: with the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtra(
            f"this needs the library '{module}', which is not installed; "
            f"install it with: pip install 'burnish[{extra}]'"
        ) from error
