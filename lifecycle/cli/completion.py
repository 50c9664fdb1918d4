"""`lifecycle completion`: completion of commands and flags, for the shells that click knows."""

from __future__ import annotations

from typing import Final

import click

from lifecycle.cli.output import print_text

__all__ = ["completion"]

_SHELLS: Final = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", metavar="SHELL", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands and flags in SHELL: bash (4.4 or newer), zsh or fish.

    \b
    Examples:
      lifecycle completion bash >> ~/.bashrc        from the next shell on
      lifecycle completion zsh >> ~/.zshrc
      lifecycle completion fish > ~/.config/fish/completions/lifecycle.fish
      eval "$(lifecycle completion bash)"           in this shell only

    \b
    Exit status:
      0  printed
      2  there is no completion for that shell
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None, "click knows the shells above"
    complete = kind(context.find_root().command, {}, _PROGRAM, _VARIABLE)
    # The class's own `source` starts bash to ask for its version; whoever wants this has one.
    print_text((complete.source_template % complete.source_vars()).strip())


_PROGRAM: Final = "lifecycle"
_VARIABLE: Final = "_LIFECYCLE_COMPLETE"
"""The variable by which the shell asks; click's own convention for a program of that name."""
