"""What each module of the project imports, at its top and inside its functions."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("method", "baselines", "pipelines")


def modules():
    """Every module of the project, by its dotted name."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return {_name(path): path for path in paths}


def commands():
    """Modules that are commands."""
    return [
        name
        for name, path in modules().items()
        if path.parent == ROOT / "pipelines" and path.stem != "__init__"
    ]


def _name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imported(name):
    """Modules of the project that a module imports itself."""
    known = modules()
    found = set()
    for node in ast.walk(ast.parse(known[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {node.module} | inside
    return sorted(module for module in found if module in known and module != name)


def reached(name):
    """Modules of the project that a module needs, directly or through others."""
    seen, waiting = set(), [name]
    while waiting:
        for module in imported(waiting.pop()):
            if module not in seen:
                seen.add(module)
                waiting.append(module)
    return seen
