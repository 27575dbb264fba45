"""atomgraft prove: judge a run on structures it has not seen."""

from pathlib import Path
from typing import Annotated, Any

import typer

from atomgraft.study.options import (
    Json,
    Kernels,
    MovedBase,
    TrustFiles,
    TrustNamed,
    trust_of,
)


def command(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    test: Annotated[
        list[str] | None, typer.Option(help="File of held-out structures (repeatable).")
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(
            help="Further head of the run that the test structures belong to; "
            "default: the target head, or the head that a frame names."
        ),
    ] = None,
    suite: Annotated[
        list[str] | None,
        typer.Option(
            help="Test suite to run: labels, forgetting, consistency, heads, phonons, "
            "bulk, md, or one of a plug-in (repeatable). Results of other "
            "suites are kept."
        ),
    ] = None,
    crystal: Annotated[
        list[str] | None,
        typer.Option(
            help="Structure or phonopy calculation for the suites phonons and bulk "
            "(repeatable)."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Option of a suite, SUITE.KEY=VALUE (repeatable)."),
    ] = None,
    base: MovedBase = None,
    kernels: Kernels = None,
    device: Annotated[str, typer.Option(help="Device: auto, cpu or cuda.")] = "auto",
    default_labels: Annotated[
        bool,
        typer.Option(
            "--default-labels",
            help="Read test files with the default keys and units instead of the "
            "run's.",
        ),
    ] = False,
    trust: TrustNamed = False,
    trust_file: TrustFiles = None,
    as_json: Json = False,
) -> None:
    """Measure held-out errors, forgetting and consistency; write the HTML page."""
    from atomgraft.core.kernels import kernels_named
    from atomgraft.run.held_out import refuse_early
    from atomgraft.run.screen import print_record
    from atomgraft.study.screen import (
        calm,
        console,
        device_name,
        print_json,
        print_notice,
        stage_screen,
    )

    others = None if kernels is None else kernels_named(kernels)
    if test:
        refuse_early(folder, test, base=base, default_labels=default_labels, head=head)
    from atomgraft.run.page.document import write_page

    chosen = _settings(suite or [], crystal or [], settings or [])
    from atomgraft.run.prove import Origin, Watch, prove

    if head is not None:
        chosen.setdefault("heads", {})["head"] = head
    allowed = trust_of(trust, trust_file, [base] if base else ())
    screen = console(quiet=as_json)
    with calm(), stage_screen(screen) as show:
        result = prove(
            folder,
            tuple(test or ()),
            suites=chosen,
            device=device_name(device),
            default_labels=default_labels,
            origin=Origin(base=base, trust=allowed, kernels=others),
            watch=Watch(progress=show, notify=lambda text: print_notice(screen, text)),
        )
    page = write_page(folder, result)
    print_record(screen, result)
    screen.print(f"\nPage: {page}", markup=False)
    if as_json:
        print_json(result.model_dump_json(indent=1))


def _settings(
    suites: list[str], crystals: list[str], settings: list[str]
) -> dict[str, dict[str, Any]]:
    """Return the suites that are asked, with their options.

    Raises
    ------
    BadInputError
        There is no such suite, an option is for none that is asked, or it is not
        written as ``SUITE.KEY=VALUE``.
    """
    from atomgraft.core.errors import BadInputError
    from atomgraft.run.suites import SUITES, suites_with, takes_several

    found: dict[str, dict[str, Any]] = {}
    for name in suites:
        SUITES[name]
        found[name] = {}
    if crystals:
        for name in suites_with("crystal", suites):
            found[name]["crystal"] = list(crystals)
    for one in settings:
        place, equals, value = one.partition("=")
        name, dot, key = place.partition(".")
        if not (equals and dot and name and key):
            raise BadInputError(
                f"--set {one!r} is not an option of a suite.",
                "Expected a suite, a key and a value.",
                "Write --set SUITE.KEY=VALUE, for example phonons.crystal=POSCAR.",
            )
        if name not in found:
            SUITES[name]
            raise BadInputError(
                f"--set {one!r} is for the suite {name!r}, which is not asked.",
                f"Asked are {', '.join(suites) or 'the usual suites'}.",
                f"Add --suite {name}.",
            )
        kept = found[name]
        if takes_several(name, key):
            kept[key] = [*kept.get(key, []), value]
            continue
        if kept.get(key, value) != value:
            raise BadInputError(
                f"{place} is set to {kept[key]!r} and to {value!r}.",
                "This option takes one value.",
                f"Leave one --set {place} out.",
            )
        kept[key] = value
    return found
