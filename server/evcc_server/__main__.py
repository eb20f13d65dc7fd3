"""``python -m evcc_server`` is ``evcc-server``."""

import sys

from evcc_server.cli import main

sys.exit(main())
