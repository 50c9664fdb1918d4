"""`python -m lifecycle.cli`: the same as `lifecycle`."""

import sys

from lifecycle.cli.main import main

sys.exit(main())
