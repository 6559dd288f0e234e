"""`python -m wannjax` is the `wannjax` command."""

import sys

from wannjax.cli import main

sys.exit(main())
