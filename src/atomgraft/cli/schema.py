"""atomgraft schema: every key of a run file, for people and editors."""

import json

NAME = "schema"


def command() -> None:
    """Print the JSON schema of a run file."""
    from atomgraft.cli.screen import print_json
    from atomgraft.experiments.spec import spec_schema

    print_json(json.dumps(spec_schema(), indent=1, ensure_ascii=False))
