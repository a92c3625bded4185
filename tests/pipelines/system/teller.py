"""A program that tells how it was started, or waits to be ended; it may start preloaded."""

import json
import os
import sys
import time
from pathlib import Path

from pipelines.system.errors import run_cli
from pipelines.system.preloaded import ADDRESS, start_preloaded


def main():
    file, asked = Path(sys.argv[1]), sys.argv[2]
    if asked == "wait":
        try:
            file.write_text(str(os.getpid()))
            time.sleep(60)
        finally:
            file.with_suffix(".ended").touch()
    told = {
        "arguments": sys.argv,
        "folder": os.getcwd(),
        "variable": os.environ.get("OF_THE_PROGRAM"),
        "address": os.environ.get(ADDRESS),
        "loaded": "colorsys" in sys.modules,
    }
    file.write_text(json.dumps(told))
    print(sys.stdin.read())
    print("and to stderr", file=sys.stderr)
    if asked == "die":
        os.abort()
    sys.exit(int(asked))


if __name__ == "__main__":
    start_preloaded()
    run_cli(main)
