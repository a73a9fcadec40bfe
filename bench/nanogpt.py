"""karpathy/nanoGPT's model, from a checkout of it, for the benches to drive."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any


def load(peer: Path) -> Any:
    """The module ``model.py`` of the checkout; ends the bench where there is none."""
    module_spec = importlib.util.spec_from_file_location("nanogpt_model", peer / "model.py")
    if module_spec is None or module_spec.loader is None or not (peer / "model.py").exists():
        sys.exit(f"there is no model.py in {peer}: --peer takes a checkout of karpathy/nanoGPT.")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules["nanogpt_model"] = module
    module_spec.loader.exec_module(module)
    return module
