"""Help as a person reads it: without names of Python types, and with examples."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup, TyperOption


class Command(TyperCommand):
    """A command whose options show nothing where they take no value, and no list types."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, without names of Python types."""
        return [_plain(one) for one in super().get_params(ctx)]


class Group(TyperGroup):
    """The same for a command with commands."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, without names of Python types."""
        return [_plain(one) for one in super().get_params(ctx)]


def example(*lines: str) -> str:
    """What stands below a command's help: commands to begin with, one a line."""
    return "\n\n".join(f"[dim]$[/dim] prn-bench {line}" for line in lines)


def _plain(parameter: Any) -> Any:
    if isinstance(parameter, TyperOption) and parameter.metavar is None:
        if parameter.is_flag:
            parameter.metavar = ""
        elif parameter.multiple:
            parameter.metavar = "<str>"
    return parameter
