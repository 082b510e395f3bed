"""Named tuples without ``typing`` and ``collections``, which take longer to load than a gate may take to judge."""

from __future__ import annotations

from _collections import _tuplegetter  # type: ignore[import-not-found,unused-ignore]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from typing import NamedTuple as NamedTuple
else:

    class NamedTuple(tuple):
        """As ``typing.NamedTuple``: fields by annotation, defaults, ``_fields`` and ``_replace``."""

        __slots__ = ()

        def __init_subclass__(cls) -> None:
            cls._fields = tuple(cls.__annotations__)
            cls._defaults = {name: cls.__dict__[name] for name in cls._fields if name in cls.__dict__}
            for number, name in enumerate(cls._fields):
                setattr(cls, name, _tuplegetter(number, name))

        def __new__(cls, *values: Any, **named: Any) -> Any:
            given = {**cls._defaults, **dict(zip(cls._fields, values, strict=False)), **named}
            if len(values) > len(cls._fields) or given.keys() != set(cls._fields):
                raise TypeError(f"{cls.__name__} has the fields {', '.join(cls._fields)}")
            return tuple.__new__(cls, map(given.__getitem__, cls._fields))

        def _replace(self, **named: Any) -> Any:
            return type(self)(**{**dict(zip(self._fields, self, strict=True)), **named})

        def __repr__(self) -> str:
            told = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
            return f"{type(self).__name__}({told})"
