"""structlog takes in rich wherever it finds it, to draw tracebacks: 4.5 MB in every daemon, which draws none. It finds none."""

import sys

if hidden := "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]  # an import of it fails, and leaves no trace
import structlog  # noqa: F401  what hides it is over with this import

if hidden:
    del sys.modules["rich"]
