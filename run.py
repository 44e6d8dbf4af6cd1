"""`python run.py --image toy.png --out toy.glb`: the command line from a checkout."""

import sys

from zero123pp.pipelines.commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
