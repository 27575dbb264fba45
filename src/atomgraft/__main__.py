"""``python -m atomgraft`` is the command line."""

import sys

from atomgraft.cli.main import main

if __name__ == "__main__":
    sys.argv[0] = "atomgraft"  # results record the command as people type it
    main()
