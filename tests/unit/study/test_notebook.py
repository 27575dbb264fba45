"""Do refusals name arguments as they are typed in Python, and leave commands alone?"""

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.study.notebook import about_arguments

SAID = {
    "Give another with --out, or --fresh.": "Give another with out=, or fresh=True.",
    "Write it as --set phonons.KEY=VALUE.": (
        'Write it as suites={"phonons": {"KEY": "VALUE"}}.'
    ),
    "Add --suite phonons.": 'Add suites=["phonons"].',
    "Add --trust-file base.model": "Add trust='base.model'",
    "Name their files: --test FILE": "Name their files: test=FILE",
    "Leave --base out, or choose --device cpu.": (
        "Leave base= out, or choose device=cpu."
    ),
    "See 'atomgraft adapt --help' for options.": (
        "See 'atomgraft adapt --help' for options."
    ),
    "Plan it with 'atomgraft plan --write', or leave --plan out.": (
        "Plan it with 'atomgraft plan --write', or leave plan= out."
    ),
    "Merge it (atomgraft merge --out a) and give --base.": (
        "Merge it (atomgraft merge --out a) and give base=."
    ),
    "Go on with: atomgraft adapt runs/a --fresh": (
        "Go on with: atomgraft adapt runs/a --fresh"
    ),
    "No option at all -- and nothing changes.": (
        "No option at all -- and nothing changes."
    ),
}


@pytest.mark.parametrize("text", SAID)
def test_a_refusal_is_told_as_it_is_typed_in_python(text):
    with pytest.raises(BadInputError) as caught, about_arguments():
        raise BadInputError("It came.", text, text)
    assert (caught.value.needed, caught.value.remedy) == (SAID[text], SAID[text])
