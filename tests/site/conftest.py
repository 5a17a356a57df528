"""The generators of the documentation's pages are imported as MkDocs imports them: from docs/hooks."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "docs" / "hooks"))
