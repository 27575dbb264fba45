"""Output of a tree of distortions in the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from atomgraft.stabilise.record import CrystalRecord, StabiliseResult
from atomgraft.study.screen import print_notice


def print_record(screen: Console, result: StabiliseResult) -> None:
    """Print the tree, the verdict and what must be known.

    Parameters
    ----------
    screen
        For people.
    result
        The tree.
    """
    if result.crystals:
        trunk = Tree(crystal_line(result.crystals[0]))
        _hang(trunk, result, 0)
        screen.print(trunk)
    screen.print(f"\n[bold]{escape(result.headline)}[/bold]")
    for text in result.notices:
        print_notice(screen, text)


def _hang(branch: Tree, result: StabiliseResult, number: int) -> None:
    for step in result.steps:
        if step.parent != number:
            continue
        way = f"{step.label} {step.frequency:z.2f} THz {step.direction} -> "
        daughter = result.crystals[step.daughter]
        if step.is_first:
            twig = branch.add(escape(way) + crystal_line(daughter))
            _hang(twig, result, step.daughter)
        else:
            branch.add(
                escape(f"{way}crystal {daughter.number}, {daughter.space_group}")
            )


def crystal_line(one: CrystalRecord) -> str:
    """Return a crystal in one line, with markup."""
    if not one.is_converged:
        state = "[yellow]not converged[/yellow]"
    elif one.is_stable is None:
        state = "[yellow]no phonons[/yellow]"
    elif one.is_stable:
        state = "[green]stable[/green]"
    else:
        state = f"[red]unstable, {one.lowest_frequency or 0.0:z.2f} THz[/red]"
    change = "" if one.number == 0 else f" {one.energy_change:+z.2f} meV/atom,"
    group = f"{one.space_group} ({one.space_group_number})"
    return f"[bold]{one.number}: {escape(group)}[/bold],{change} {state}"
