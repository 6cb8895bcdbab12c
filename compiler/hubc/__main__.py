"""Let `python -m hubc` do what `hubc` does."""

import sys

from hubc.cli import main

sys.exit(main())
