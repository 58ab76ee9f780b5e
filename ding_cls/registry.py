"""Parts by name: ``dict(type='Name', ...)`` in a config becomes an object.

It must not know what the parts are, nor import torch.
"""

import inspect
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Generic, TypeVar, overload

from ding_cls.errors import ConfigError, PartError

Part = TypeVar("Part", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Library(Generic[Part]):
    """Names that a registry finds outside itself, such as the classes of ``torch.optim``.

    Attributes:
        origin: where the names come from; it stands in messages.
        find: returns the part of a name, or None.
        names: returns all names that ``find`` knows.
    """

    origin: str
    find: Callable[[str], Part | None]
    names: Callable[[], Iterable[str]]


class Registry(Generic[Part]):
    """A table from names to parts of one kind: classes, or functions that return the part.

    A registry with a parent is one kind of the parent's parts: the parent finds all of them, and each of its
    kinds finds what the parent, or another kind, got from outside the library. A registry with a scope of
    its own shares nothing unasked: its parts are found as ``'scope.Name'``.

    Args:
        name: what the parts are, in the singular; it stands in error messages.
        build_func: builds a part in ``build``, called with ``(cfg, registry=self)``; None: the parent's, or
            ``build_from_cfg``.
        parent: the registry of more kinds than this one.
        scope: stands before the names of its parts, where another registry of the family looks them up.
        libraries: where a name is looked up that was not registered; the first that has it wins.

    Attributes:
        one: the name with its article.
    """

    def __init__(
        self,
        name: str,
        build_func: Callable[..., Any] | None = None,
        parent: "Registry[Any] | None" = None,
        scope: str | None = None,
        *,
        libraries: Sequence[Library[Part]] = (),
    ) -> None:
        self.name = name
        self.one = f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
        self.parent, self.scope = parent, scope
        self._build_func, self._libraries = build_func, tuple(libraries)
        self._parts: dict[str, Part] = {}
        self._children: list[Registry[Any]] = []
        if parent is not None:
            parent._children.append(self)

    def add_libraries(self, *libraries: Library[Part]) -> None:
        """Look a name up in these too, behind those that are there."""
        self._libraries += libraries

    def register(self, name: str, *, force: bool = False) -> Callable[[Part], Part]:
        """Return a decorator that enters a part under ``name``.

        Args:
            name: may hide a library's.
            force: replace what is registered under that name.

        Raises:
            ConfigError: another part is registered under that name.
        """

        def enter(part: Part) -> Part:
            # A name of the parent's is one of its kinds' too: the other part would go on being found there.
            owner = next((each for each in (self, *self._kinds()) if name in each._parts), self)
            known = owner._parts.get(name)
            if known is not None and not force and not _is_same(known, part):
                raise ConfigError(
                    f"{self.one} named '{name}' is registered already: {known}; choose another name, or "
                    "replace it with force=True"
                )
            owner._parts[name] = part
            return part

        return enter

    @overload
    def register_module(
        self, name: str | Sequence[str] | None = None, force: bool = False, module: None = None
    ) -> Callable[[Part], Part]: ...

    @overload
    def register_module(
        self, name: str | Sequence[str] | None = None, force: bool = False, *, module: Part
    ) -> Part: ...

    def register_module(
        self, name: str | Sequence[str] | None = None, force: bool = False, module: Part | None = None
    ) -> Callable[[Part], Part] | Part:
        """Enter a part under its own name: ``@BACKBONES.register_module()``, the form of mmcv's registries.

        Args:
            name: another name, or several.
            force: as in ``register``.
            module: the part, where this is called as a plain function.

        Raises:
            ConfigError: as in ``register``; or the decorator lacks its brackets.
        """
        if callable(name):
            raise ConfigError("a registry's decorator is written with brackets: @REGISTRY.register_module()")

        def enter(part: Part) -> Part:
            names = [part.__name__] if name is None else [name] if isinstance(name, str) else name
            for each in names:
                self.register(each, force=force)(part)
            return part

        return enter if module is None else enter(module)

    def get(self, name: str) -> Part:
        """Return the part of that name.

        Raises:
            ConfigError: there is none; the message names the nearest.
        """
        part = self._find(name)
        if part is None:
            raise PartError(f"there is no {self.name} named '{name}'; {self._hint(name)}", name)
        return part

    def build(self, cfg: Any, default_args: Mapping[str, Any] | None = None) -> Any:
        """Return the object that ``dict(type='Name', **arguments)`` describes; see ``build_from_cfg``."""
        owner: Registry[Any] | None = self
        while owner is not None and owner._build_func is None:
            owner = owner.parent
        if owner is None or owner._build_func is None:
            return build_from_cfg(cfg, self, default_args)
        more = {} if default_args is None else {"default_args": default_args}
        return owner._build_func(cfg, registry=self, **more)

    def names(self) -> tuple[str, ...]:
        """Return every name that ``get`` knows, sorted; a parent those of its kinds too."""
        own = {*self._parts, *(name for each in self._libraries for name in each.names())}
        return tuple(sorted(own.union(*(each.names() for each in self._kinds()))))

    @property
    def module_dict(self) -> dict[str, Part]:
        """The parts that were registered, by name; a parent's with those of its kinds."""
        return {name: part for each in (*self._kinds(), self) for name, part in each._parts.items()}

    def _kinds(self) -> list["Registry[Any]"]:
        return [each for each in self._children if each.scope is None]

    def _find(self, name: str) -> Part | None:
        found = self._parts.get(name)
        if found is None and self.parent is not None and not self.scope:
            found = self.parent._parts.get(name)
        if found is None:
            found = self._found_here(name)
        if found is None and self.parent is not None:
            found = self.parent._find(name) if self.scope else self.parent._found_for_kind(name)
        scope, _, rest = name.partition(".")
        if found is not None or not rest:
            return found
        root: Registry[Any] = self
        while root.parent is not None:
            root = root.parent
        return root._found_in_scope(scope, rest)

    def _found_for_kind(self, name: str) -> Part | None:
        """Return a part that was registered from outside the library, here or as another kind."""
        found = (each._parts.get(name) for each in (self, *self._kinds()))
        return next((part for part in found if part is not None and not is_ours(part)), None)

    def _found_here(self, name: str) -> Part | None:
        """Return a part of this registry or of its kinds."""
        if name in self._parts:
            return self._parts[name]
        found = (library.find(name) for library in self._libraries)
        part = next((each for each in found if each is not None), None)
        return part or next(filter(None, (each._found_here(name) for each in self._kinds())), None)

    def _found_in_scope(self, scope: str, name: str) -> Part | None:
        if scope == self.scope:
            return self._found_here(name)
        return next(filter(None, (each._found_in_scope(scope, name) for each in self._children)), None)

    def _hint(self, name: str) -> str:
        lowered = {known.lower(): known for known in self.names()}
        near = [lowered[each] for each in get_close_matches(str(name).lower(), lowered, n=3)]
        if near:
            return f"did you mean {' or '.join(near)}?"
        origins = "".join(f", and those of {library.origin}" for library in self._libraries)
        return f"there are: {', '.join(sorted(self._parts)) or 'none registered'}{origins}"

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)


def build_from_cfg(
    cfg: Mapping[str, Any], registry: Registry[Any], default_args: Mapping[str, Any] | None = None
) -> Any:
    """Return the object that ``dict(type='Name', **arguments)`` describes.

    What the part's constructor raises comes through as it is, with a note that says what was being built;
    but a TypeError or ValueError of the library's own parts, which is about the arguments.

    Args:
        cfg: ``type`` is a name in the registry, or the class itself; it stays as it is.
        registry: where the name is looked up.
        default_args: arguments that hold where ``cfg`` is silent; ``type`` may be among them.

    Raises:
        ConfigError: ``cfg`` is no dict, lacks ``type``, names a part or an argument that does not exist, or
            gives an argument of another kind than the part can use.
    """
    if not isinstance(cfg, Mapping):
        raise ConfigError(f"{registry.one} is described by dict(type='Name', ...), not by {cfg!r}")
    arguments = {**(default_args or {}), **cfg}
    if "type" not in arguments:
        raise ConfigError(
            f"{registry.one} is described by dict(type='Name', ...); 'type' is missing in {dict(cfg)!r}"
        )
    kind = arguments.pop("type")
    part = registry.get(kind) if isinstance(kind, str) else kind
    if not callable(part):
        raise ConfigError(f"the type of {registry.one} is a name or a class, not {kind!r}")
    _check_arguments(part, arguments, registry.name)
    try:
        return part(**arguments)
    except Exception as error:
        if inspect.isabstract(part):
            raise ConfigError(f"{registry.name} '{_name_of(part)}' cannot be built: {error}") from error
        if is_ours(part) and isinstance(error, TypeError | ValueError):
            given = [f"{name}={reprlib.repr(value)}" for name, value in cfg.items() if name != "type"]
            raise ConfigError(
                f"{registry.name} '{_name_of(part)}' cannot be built with {', '.join(given)}: {error}"
            ) from error
        error.add_note(f"while building the {registry.name} '{_name_of(part)}' with {arguments}")
        raise


def _check_arguments(part: Callable[..., Any], arguments: Mapping[str, Any], kind: str) -> None:
    """Refuse arguments that the constructor does not take, before it runs."""
    try:
        signature = inspect.signature(part)
    except ValueError:
        # Some classes written in C have none: they check for themselves.
        return
    parameters = signature.parameters.values()
    named = [each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters)
    unknown = [] if takes_any else [name for name in arguments if name not in named]
    missing = [
        each.name
        for each in parameters
        if each.name in named and each.default is each.empty and each.name not in arguments
    ]
    if unknown:
        near = get_close_matches(unknown[0], named, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"it takes: {', '.join(named) or 'none'}"
        raise PartError(
            f"{kind} '{_name_of(part)}' has no argument '{unknown[0]}'; {hint}", _name_of(part), unknown[0]
        )
    if missing:
        raise PartError(f"{kind} '{_name_of(part)}' lacks the argument '{missing[0]}'", _name_of(part))


def is_ours(part: object) -> bool:
    """Return whether a class or function is the library's own."""
    return str(getattr(part, "__module__", "")).startswith("ding_cls.")


def _name_of(part: Callable[..., Any]) -> str:
    return getattr(part, "__name__", repr(part))


def _is_same(known: Any, part: Any) -> bool:
    """Return whether the same definition is entered again, as when its module is reloaded."""
    return known is part or (
        (known.__module__, known.__qualname__) == (part.__module__, part.__qualname__)
        and known.__module__ != "__main__"
        and "<locals>" not in known.__qualname__
    )
