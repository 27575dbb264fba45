"""atomgraft schema: every key of a run file, for people and editors."""

import json
from typing import Annotated

import typer


def command(
    of: Annotated[
        str, typer.Argument(help="run (for adapt) or compare: which file.")
    ] = "run",
) -> None:
    """Print the JSON schema of a run file, or of a comparison's."""
    from atomgraft.compare.spec import compare_spec_schema
    from atomgraft.core.errors import BadInputError
    from atomgraft.run.spec import spec_schema
    from atomgraft.study.screen import print_json

    schemas = {"run": spec_schema, "compare": compare_spec_schema}
    if of not in schemas:
        raise BadInputError(
            f"There is no schema of {of!r}.",
            f"Known: {', '.join(schemas)}.",
            "Choose one of them.",
        )
    print_json(json.dumps(schemas[of](), indent=1, ensure_ascii=False))
