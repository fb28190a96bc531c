"""The layers, checked: data flows down this list, imports only point up it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = (
    {
        "errors",
        "recording",
        "clock",
        "machine",
        "config",
        "config_faults",
        "config_tables",
        "log",
        "durations",
        "signals",
        "dock_decrypt",  # a lone file that imports nothing of ours
    },
    {"custody"},
    {"store"},
    {"vault"},
    {"bays", "cameras", "media"},
    {"offload", "sync", "export"},
    {"watch", "away", "verifying", "keys", "encryption", "retaining"},
    {"simulated"},
    {"station"},
    {"agent", "deriving", "scrubbing", "story", "examine"},
    {"opened"},
    {"run"},
    {
        "demo",
        "expiring",
        "exporting",
        "imaging",
        "importing",
        "rebuilding",
        "rebuilt_rows",
    },
    {"cli"},
)
STRANGERS = ({"offload", "sync"}, {"offload", "export"}, {"sync", "export"})
PURE = (
    "errors",
    "recording",
    "machine",
    "away",
    "durations",
    "bays.events",
    "bays.learn",
    "bays.machine",
    "bays.presence",
    "bays.rules",
    "bays.times",
    "bays.topology",
    "cameras.naming",
    "cameras.volumes",
    "custody.chain",
    "custody.checkpoint",
    "custody.manifest",
    "custody.memory",
    "custody.merkle",
    "export.ascmhl",
    "export.layout",
    "media.boxes",
    "media.container",
    "media.gaps",
    "media.gpx",
    "media.nmea",
    "media.start",
    "media.timeline",
    "media.track",
    "offload.docking",
    "offload.file",
    "offload.plan",
    "offload.release",
    "sync.axis.capabilities",
    "sync.axis.metadata",
    "sync.axis.names",
    "sync.link",
    "sync.policy",
    "sync.s3.handle",
    "sync.s3.xml",
    "sync.s3.sigv4",
    "sync.transfer",
    "sync.tus.words",
    "vault.layout",
    "vault.retention",
    "vault.terms",
    "watch.eta",
    "watch.links",
    "watch.spoken",
    "watch.verdict",
)
WORLD = {
    "httpx", "io", "logging", "os", "pathlib.Path", "pyudev", "random", "secrets",
    "socket", "sqlite3", "sqlite_utils", "subprocess", "threading", "time", "watchdog",
}  # fmt: skip
HOMES = {
    "httpcore": ("sync.transport.client", "sync.transport.wire"),
    "httpx": ("sync.transport.client",),
    "pyudev": ("bays.detect",),
    "sqlite_utils": ("store.db",),
    "watchdog": ("bays.folders",),
}
PAGE_READS = {
    "away", "clock", "config", "durations", "errors", "log", "recording", "signals",
    "store.backlog", "store.db", "store.views", "watch.spoken", "watch.status",
    "watch.verdict",
}  # fmt: skip
LAST_RESORTS = (  # one broad except in each process, and in each docking's thread
    "dock_agent/cli/__init__.py",
    "dock_agent/offload/process.py",
    "dock_agent/offload/parent.py",
    "dock_agent/offload/erase/parent.py",
    "dock_agent/agent.py",
)
LONGEST_MODULE = 300
LONGEST_BODY = 40


def modules(package: str) -> dict[str, Path]:
    """Map the dotted name of each module below `package` to its file."""
    root = ROOT / package
    paths = {
        path.relative_to(root).with_suffix(""): path for path in root.rglob("*.py")
    }
    return {".".join(name.parts): path for name, path in sorted(paths.items())}


AGENT = modules("dock_agent")
PAGE = modules("web_status")
SOURCES = [*AGENT.values(), *PAGE.values()]
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def within(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports(path: Path) -> set[str]:
    """Return every name that a module imports, whole: `pathlib.Path`."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{within(path)}: say where it is from"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def ours(path: Path) -> set[str]:
    """Return the modules of `dock_agent` that a module imports, without its name."""
    names = {name.removeprefix("dock_agent.") for name in imports(path)
             if name.startswith("dock_agent.")}  # fmt: skip
    known = {name if name in AGENT else name.rpartition(".")[0] for name in names}
    return known - {""}


def reaches(path: Path, what: str) -> bool:
    return any(f"{name}.".startswith(f"{what}.") for name in imports(path))


def layer(name: str) -> int:
    top = name.partition(".")[0]
    return next(height for height, names in enumerate(LAYERS) if top in names)


def calls(path: Path) -> Iterator[str]:
    """Yield the last name of everything that is called as an attribute."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr


NAMED = [name for name in AGENT if name != "__init__"]


@pytest.mark.parametrize("name", NAMED)
def test_imports_point_upstream(name: str) -> None:
    mine = layer(name)

    assert [other for other in ours(AGENT[name]) if layer(other) > mine] == []


@pytest.mark.parametrize("name", NAMED)
def test_what_meets_in_the_store_does_not_meet_elsewhere(name: str) -> None:
    mine = name.partition(".")[0]
    tops = {other.partition(".")[0] for other in ours(AGENT[name])}

    assert not any(tops & (pair - {mine}) for pair in STRANGERS if mine in pair)


@pytest.mark.parametrize("name", NAMED)
def test_only_the_demonstration_shows_the_page(name: str) -> None:
    assert name == "demo" or not reaches(AGENT[name], "web_status")


@pytest.mark.parametrize("name", PAGE)
def test_the_page_reads_only_what_is_meant_for_it(name: str) -> None:
    assert ours(PAGE[name]) - PAGE_READS == set()


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_cannot_touch_the_world(name: str) -> None:
    assert [thing for thing in WORLD if reaches(AGENT[name], thing)] == []
    assert {"now", "today", "utcnow"}.isdisjoint(calls(AGENT[name]))


@pytest.mark.parametrize("name", NAMED)
def test_a_module_that_calls_itself_pure_is_held_to_it(name: str) -> None:
    promise = ast.get_docstring(tree(AGENT[name])) or ""

    assert "Pure." not in promise or name in PURE


@pytest.mark.parametrize("name", NAMED)
def test_each_library_lives_in_one_place(name: str) -> None:
    away = [library for library, homes in HOMES.items() if name not in homes]

    assert [library for library in away if reaches(AGENT[name], library)] == []


@pytest.mark.parametrize("name", [n for n in NAMED if not n.startswith("store.")])
def test_sql_lives_in_the_store(name: str) -> None:
    used = {
        node.attr
        for node in ast.walk(tree(AGENT[name]))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "sqlite3"
    }

    assert used <= {"Connection"}, "others pass a connection on, and never use it"
    assert {"execute", "executemany", "executescript"}.isdisjoint(calls(AGENT[name]))


@pytest.mark.parametrize("path", SOURCES, ids=within)
def test_a_module_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("path", SOURCES, ids=within)
def test_a_function_fits_on_one_screen(path: Path) -> None:
    long = [
        node.name
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and body_lines(node) > LONGEST_BODY
    ]

    assert long == []


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", SOURCES, ids=within)
def test_only_a_last_resort_catches_everything(path: Path) -> None:
    broad = [node for node in ast.walk(tree(path)) if swallows(node)]

    assert len(broad) <= (within(path) in LAST_RESORTS)


def swallows(node: ast.AST) -> bool:
    """Whether it catches every exception and does not raise it again."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    broad = any(
        kind is None
        or (isinstance(kind, ast.Name) and kind.id in {"BaseException", "Exception"})
        for kind in kinds
    )
    last = node.body[-1]
    return broad and not (isinstance(last, ast.Raise) and last.exc is None)


@pytest.mark.parametrize("path", TESTS, ids=within)
def test_nothing_is_patched_or_slept(path: Path) -> None:
    assert not reaches(path, "unittest.mock")
    assert {"setattr", "sleep"}.isdisjoint(calls(path))
    assert not reaches(path, "time.sleep")
