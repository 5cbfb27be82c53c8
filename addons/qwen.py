"""The script of `mitmdump -s addons/qwen.py --mode reverse:URL@8080`: works from a bare checkout."""

import sys
from pathlib import Path

_here = Path(__file__).resolve().parent
for _root in (_here, _here.parent / "auth"):
    if str(_root) not in sys.path:
        sys.path.insert(0, str(_root))

from qwen_gateway import default_addons

addons = default_addons()
