"""Architectures by name: a builder that the user wrote, a known application, a shipped checkpoint.

`module:function` is the one way in which code is imported, and only because the user wrote it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import keras

from transfer.errors import LayerError, Problem, nearest
from transfer.graphs.parsing import parse_config
from transfer.models.building import build_graph
from transfer.models.naming import names_from_the_start
from transfer.weights.opening import open_checkpoint
from transfer.weights.shipped import shipped_checkpoints


def build_named(name: str, size: tuple[int, int] | None = None) -> keras.Model:
    """A fresh model for `module:function`, `file.py:function`, `app:MobileNetV2`, or a name from `checkpoints/`.

    Args:
        name: of it.
        size: (h, w) of the images of an application; by default, and where it takes any, as it comes.

    Raises:
        LayerError: if there is no such module, function, application or checkpoint, or it gives no model, or the
            application takes no images of that size.
    """
    if name.startswith("app:"):
        return _application(name.removeprefix("app:"), size)
    if ":" in name:
        return _call(name)
    shipped = shipped_checkpoints()
    if name not in shipped:
        raise LayerError(
            f"{name!r} is no architecture.",
            next_step=f"write module:function, app:MobileNetV2, or a shipped checkpoint: {nearest(name, shipped)}",
        )
    return build_graph(parse_config(open_checkpoint(shipped[name]).architecture))


def _application(name: str, size: tuple[int, int] | None) -> keras.Model:
    applications = {
        each: found for each, found in vars(keras.applications).items() if callable(found) and each[0].isupper()
    }
    if name not in applications:
        raise LayerError(f"keras.applications has no {name!r}.", next_step=f"nearest: {nearest(name, applications)}")
    usual: keras.Model = applications[name](weights=None)
    if size is None or usual.input_shape[1:3] in ((None, None), size):
        return usual
    try:
        with names_from_the_start():  # the layers of the usual one have taken the first
            return applications[name](weights=None, input_shape=(*size, 3))
    except ValueError as error:
        found = Problem("size", "one that it can be built at", f"{size}: {str(error).strip()[:200]}")
        raise LayerError(f"{name} takes no images of that size.", [found], "give a larger one") from error


def named_function(name: str) -> Callable[..., Any]:
    """What `module:function` or `file.py:function` names, imported.

    Raises:
        LayerError: if there is no such module or function.
    """
    place, _, function = name.rpartition(":")
    if not place or not function:
        raise LayerError(f"{name!r} is no function.", next_step="write module:function or file.py:function")
    module = _import(place)
    found: Callable[..., Any] | None = getattr(module, function, None)
    if not callable(found):
        known = [each for each, one in vars(module).items() if callable(one) and not each.startswith("_")]
        raise LayerError(f"{place!r} has no function {function!r}.", next_step=f"nearest: {nearest(function, known)}")
    return found


def _call(name: str) -> keras.Model:
    builder = named_function(name)
    try:
        model = builder()
    except Exception as error:
        raise LayerError(
            f"The builder {name} failed: {type(error).__name__}: {str(error)[:200]}",
            [Problem(_last_place(error, builder), found="raised there")],
            next_step="mend it; it is called without arguments",
        ) from error
    if not isinstance(model, keras.Model):
        raise LayerError(f"{name} gave {type(model).__name__}; expected a Keras model.")
    return model


def _last_place(error: Exception, builder: Callable[..., Any]) -> str:
    """The last line of the builder's own file that the error came through."""
    file = str(getattr(sys.modules.get(builder.__module__), "__file__", None) or builder.__module__)
    code = getattr(builder, "__code__", None)
    file = code.co_filename if code is not None else file
    frames = traceback.extract_tb(error.__traceback__)
    own = [each for each in frames if each.filename == file]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else file


def _import(place: str) -> ModuleType:
    if place.endswith(".py"):
        path = Path(place)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if not path.is_file() or spec is None or spec.loader is None:
            raise LayerError(
                f"There is no file {place}.",
                next_step=f"nearest there: {nearest(path.name, [each.name for each in path.parent.glob('*.py')])}",
            )
        module = importlib.util.module_from_spec(spec)
        with _looking_in(path.absolute().parent):
            spec.loader.exec_module(module)
        return module
    try:
        with _looking_in(Path.cwd()):  # a console script does not look in the folder where it is called
            return importlib.import_module(place)
    except ModuleNotFoundError as error:
        raise LayerError(
            f"There is no module {error.name!r}.",
            next_step=f"call from the folder that holds it, or write {place}.py:function",
        ) from error


@contextmanager
def _looking_in(folder: Path) -> Iterator[None]:
    """Let imports find the modules of a folder, for a while."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
