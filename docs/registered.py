"""A Griffe extension: `hypergossip.core.declarations.register` makes dataclasses, so the API shows their arguments."""

from typing import Any

import griffe


class Dataclass(griffe.ExprName):
    """The decorator that `register` applies."""

    @property
    def canonical_path(self) -> str:
        """Where it comes from."""
        return "dataclasses.dataclass"


class Registered(griffe.Extension):
    """Gives every registered class the decorator that Griffe knows, and fields marked by `static` their defaults."""

    def on_class_members(self, *, cls: griffe.Class, **kwargs: Any) -> None:
        """Is called for every class when its members are known."""
        if not any(decorator.callable_path.endswith(".register") for decorator in cls.decorators):
            return
        cls.decorators.append(griffe.Decorator(Dataclass("dataclass"), lineno=cls.lineno, endlineno=cls.lineno))
        for field in cls.members.values():
            value = field.value if isinstance(field, griffe.Attribute) else None
            if isinstance(value, griffe.ExprCall) and str(value.function) == "static":
                field.value = value.arguments[0].value if value.arguments else None
