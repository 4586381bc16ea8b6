"""The documentation site: a hook of MkDocs (see mkdocs.yml) that adds what is not written by hand.

The home page is the README; the reference is made from the docstrings of the public names; examples and changes come
from their files.  Links that leave docs/ become the page that stands for their file, or text; those to rooms lead to the maps of all rooms.  Pages that the
navigation doesn't name are added to it, so that a new page needs no line there.

    pip install -e '.[docs]' && mkdocs build --strict
"""

from __future__ import annotations

import inspect
import posixpath
import re
import sys
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tools.rooms import FOLDERS, maps_of_rooms  # noqa: E402

DOCS = ROOT / "docs"
# Pages that stand for files outside of docs/.
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changes.md", "examples/README.md": "examples.md"}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
# Part of the navigation -> how names of pages begin that belong there; all others go to the last part.
PARTS = {"Performance": ("decisions/", "optimis", "performance", "ablation"), "Reference": ("reference/",)}
OTHERS = "Contributing"

# Page of the reference -> title, what it says first, and the modules (stems) whose functions of `T` it has.
TENSOR = {
    "variables": ("Variables", "Constructors of `tensordsl.tensor` (`T`). A letter in front names the dtype: `b w i l` for "
    "integers of 8 to 64 bits, `f d` for float32 and float64, `c z` for complex numbers; an s behind makes several.",
    ("constructors", "var", "operands", "known_scalars")),
    "elementwise": ("Elementwise", "Functions of `T` that take each element by itself. Operands broadcast as in NumPy.",
    ("elementwise", "functions", "comparisons", "complexes", "gamma", "gamma_incomplete")),
    "arrays": ("Making and arranging arrays", "Functions of `T`.", ("creation", "arrange", "shape", "grids", "pad")),
    "indexing": ("Indexing and writing", "Beside `x[...]`, which takes slices, integers, arrays and masks as NumPy does.",
    ("index", "masks", "write")),
    "reductions": ("Reductions, running sums, sorting", "Functions of `T`.", ("reduce", "cumulative", "sort")),
    "products": ("Products", "Functions of `T`.", ("products", "einsum")),
}  # fmt: skip


# -- docstrings --------------------------------------------------------------------------------------------------------
def escaped(line: str) -> str:
    """A line of a docstring, which is plain text but for what stands in back quotes."""
    parts = line.split("`")
    plain = [re.sub(r"([*_\[\]])", r"\\\1", escape(part, quote=False)).replace("|", "&#124;") for part in parts]
    return "`".join(part if k % 2 else plain[k] for k, part in enumerate(parts))


def as_markdown(docstring: str) -> str:
    """NumPy's sections become bold headings with lists, examples become code."""
    out: list[str] = []
    lines = inspect.cleandoc(docstring).splitlines()
    is_code, is_section = False, False
    for k, line in enumerate(lines):
        follower = lines[k + 1] if k + 1 < len(lines) else ""
        if is_code and not line.strip():
            out.append("```")
            is_code = False
        if line.startswith(">>>") and not is_code:
            out += ["", "```pycon"]
            is_code, is_section = True, False
        if is_code:
            out.append(line)
        elif line and re.fullmatch(r"-{3,}", follower):
            out += [f"**{line}**", ""]
            is_section = True
        elif re.fullmatch(r"-{3,}", line):
            continue
        elif is_section and line and not line.startswith(" "):
            name, colon, text = line.partition(" : ")
            out.append(f"- `{name}`: {escaped(text)}" if colon else f"- {escaped(line)}")
        elif not line:
            is_section = is_section and follower.startswith(" ")
            out.append("")
        elif re.match(r"\w+ {2,}\S", line) or (line.startswith("    ") and not is_section):
            out.append(escaped(line.strip()) + "  ")  # a table of words, or what is set apart
        else:
            out.append(escaped(line))
    return "\n".join([*out, "```"] if is_code else out)


def signature(function: Any) -> str:
    """The parameters with their defaults, without annotations."""
    try:
        found = inspect.signature(function)
    except (TypeError, ValueError):
        return "(...)"
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in found.parameters.values() if p.name != "self"]
    return str(found.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def entry(names: Iterable[str], thing: Any, level: int = 2) -> str:
    """One public name with its signature and docstring; further names of the same thing stand behind."""
    first, *others = names
    also = f"\n\nAlso {', '.join(f'`{name}`' for name in others)}." if others else ""
    text = as_markdown(thing.__doc__ or "")
    parts = [f"{'#' * level} `{first}`{also}", f"```python\n{first}{signature(thing)}\n```", text]
    if inspect.isclass(thing):
        parts += [entry([name], method, level + 1) for name, method in methods(thing)]
    return "\n\n".join(parts)


def methods(kind: type) -> list[tuple[str, Any]]:
    """The public methods of a class that have a docstring, those of bases in its own module included."""
    found: dict[str, Any] = {}
    for base in kind.__mro__:
        if base.__module__ == kind.__module__:
            for name, value in vars(base).items():
                method = getattr(value, "__func__", value)
                if not name.startswith("_") and inspect.isfunction(method) and method.__doc__:
                    found.setdefault(name, method)
    return sorted(found.items())


# -- pages -------------------------------------------------------------------------------------------------------------
def by_thing(namespace: Mapping[str, Any]) -> list[tuple[list[str], Any]]:
    """(names, thing) of all public functions in alphabetical order, each once."""
    found: dict[int, tuple[list[str], Any]] = {}
    for name, value in namespace.items():
        is_function = inspect.isfunction(value) or type(value).__name__ == "OpFunction"
        if is_function and not name.startswith("_") and value.__doc__:
            found.setdefault(id(value), ([], value))[0].append(name)
    return sorted(found.values(), key=lambda row: row[0][0])


def members(module: Any) -> dict[str, Any]:
    """All names of a module, those that it looks up in another one included."""
    return {name: getattr(module, name) for name in sorted(dir(module))}


def home(function: Any) -> str:
    """The stem of the file in which a function is written."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return Path(code.co_filename).stem if code else ""


def page(title: str, text: str, entries: Iterable[str]) -> str:
    return "\n\n".join([f"# {title}", text, *entries]) + "\n"


def tensor_pages() -> dict[str, str]:
    import tensordsl.tensor as T

    letters = re.compile(r"[bwilfdcz](scalar|vector|matri|row|col|tensor\d)")
    functions = [row for row in by_thing(vars(T)) if not letters.match(row[0][0])]
    pages, written = {}, set()
    for file, (title, text, homes) in TENSOR.items():
        mine = [(names, f) for names, f in functions if home(f) in homes]
        written |= {id(f) for _, f in mine}
        pages[f"reference/{file}.md"] = page(title, text, (entry(names, f) for names, f in mine))
    rest = [(names, f) for names, f in functions if id(f) not in written]
    networks = by_thing(vars(T.nnet))
    pages["reference/nnet.md"] = page(
        "Neural networks",
        "`tensordsl.tensor.nnet`, and what else of `T` networks use.",
        (entry(names, f) for names, f in (*networks, *rest)),
    )
    forms = by_thing({f"nlinalg.{name}": f for name, f in members(T.nlinalg).items()})
    linalg = [row for row in by_thing(members(T.linalg)) if id(row[1]) not in written]
    pages["reference/linalg.md"] = page(
        "Linear algebra",
        "`tensordsl.tensor.linalg`, with NumPy's, SciPy's and PyTensor's names, which `numpy.linalg` finds too; Theano's "
        "are in `tensordsl.tensor.nlinalg` and `slinalg`. Matrices are the last two axes, those before are batches. "
        "Small integers and float16 are computed in float32, other integers in float64; all have gradients of first and "
        "second order but where it is said.",
        [
            *(entry(names, f) for names, f in linalg),
            *(entry(names, f) for names, f in forms if home(f) == "theano_forms"),
        ],
    )
    return pages


def package_pages() -> dict[str, str]:
    import tensordsl
    from tensordsl import compat, gradient, scan_module
    from tensordsl.functions.link import Function
    from tensordsl.signature.shared import TensorSharedVariable
    from tensordsl.tensor import TensorVariable, shared_randomstreams

    of_package = ("function", "In", "Out", "shared", "Mode", "OpFromGraph", "clone", "clone_replace", "change_flags")
    loops = ("scan", "map", "reduce", "foldl", "foldr", "scan_checkpoints", "loop", "while_loop")
    looking = ("pp", "debugprint", "eval_intermediate_values")
    things = [([name], getattr(tensordsl, name)) for name in of_package]
    kinds = [(["SharedVariable"], TensorSharedVariable), (["Function"], Function)]
    of_variables = methods(TensorVariable)
    as_functions = [f"`{n}`" for n, method in of_variables if re.match(rf"`?T\.{n}\(x\)", method.__doc__ or "")]
    gradients = [row for row in by_thing(members(gradient)) if is_ours(row[1])]
    return {
        "reference/function.md": page(
            "Functions and state", "`tensordsl`.", [entry(*row) for row in (*things, *kinds)]
        ),
        "reference/gradients.md": page(
            "Derivatives", "`tensordsl.gradient`; `grad` is `T.grad` too.", [entry(*row) for row in gradients]
        ),
        "reference/custom.md": page(
            "Operations of one's own",
            "`tensordsl`; see [operations of your own](../custom-ops.md).",
            [entry([name], getattr(tensordsl, name)) for name in ("callback", "as_op", "elementwise", "Op", "Apply")],
        ),
        "reference/loops.md": page(
            "Loops",
            "`tensordsl`; `until` is in `tensordsl.scan_module`. Other functions on graphs with loops are in "
            "`tensordsl.scan_module.scan_utils`.",
            [
                *(entry([name], getattr(tensordsl, name)) for name in loops),
                *(entry([name], thing) for name, thing in (("until", scan_module.until), *loop_graphs())),
            ],
        ),
        "reference/random.md": page(
            "Random numbers",
            "`tensordsl.tensor.shared_randomstreams`.",
            [entry(["RandomStreams"], shared_randomstreams.RandomStreams)],
        ),
        "reference/methods.md": page(
            "Methods of variables",
            f"Beside operators and indexing; as the functions of `T` of these names: {', '.join(as_functions)}.",
            [entry([name], method) for name, method in of_variables if f"`{name}`" not in as_functions],
        ),
        "reference/debugging.md": page(
            "Looking at graphs",
            "`tensordsl`; see [debugging](../debugging.md).",
            [entry([name], getattr(tensordsl, name)) for name in looking],
        ),
        "reference/compat.md": page(
            "Programs for Theano",
            "`tensordsl.compat`; see [porting](../porting.md).",
            [entry([name], getattr(compat, name)) for name in ("install", "uninstall")],
        ),
        "reference/errors.md": page("Errors", "`tensordsl.errors`.", error_entries()),
        "reference/config.md": page("Options", OPTIONS_TEXT, [options_table()]),
    }


def loop_graphs() -> list[tuple[str, Any]]:
    from tensordsl.compat import loop_graphs

    return [(name, function) for name, function in members(loop_graphs).items() if name in loop_graphs.__all__]


def is_ours(function: Any) -> bool:
    return str(getattr(function, "__module__", "")).startswith("tensordsl")


OPTIONS_TEXT = """\
`tensordsl.config` has them as attributes. They are set there, in `TENSORDSL_FLAGS=name=value,name=value`, or in
`~/.tensordslrc`; `change_flags` sets some for a while.
"""


def options_table() -> str:
    from tensordsl.base.config import OPTIONS

    rows = ["| option | default | what it is |", "| --- | --- | --- |"]
    for name, option in sorted(OPTIONS.items()):
        default = repr(option.default).replace(str(Path.home()), "~")
        rows.append(f"| `{name}` | `{default}` | {escaped(' '.join(option.doc.split()))} |")
    return "\n".join(rows)


def error_entries() -> list[str]:
    from tensordsl import errors

    found = [(name, e) for name, e in members(errors).items() if inspect.isclass(e) and issubclass(e, Exception)]
    bases = {name: ", ".join(f"`{base.__name__}`" for base in e.__bases__) for name, e in found}
    return [
        f"## `{name}`\n\nKind of {bases[name]}.\n\n{as_markdown(e.__doc__ or '')}" for name, e in found if is_ours(e)
    ]


# -- MkDocs ------------------------------------------------------------------------------------------------------------
def relinked(text: str, source: str, target: str) -> str:
    """Markdown of the file `source` (a path below the root) as the page `target`: links lead to pages, or end."""

    def link(found: re.Match[str]) -> str:
        image, words, address = found.groups()
        path, mark, anchor = address.partition("#")
        if "://" in address or not path:
            return found[0]
        file = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        aim = PAGES.get(file) or (file.removeprefix("docs/") if file.startswith("docs/") else "")
        if file.endswith("/__init__.py"):
            aim, mark, anchor = "rooms.md", "#", slug(posixpath.dirname(file))
        if not aim:
            return words
        return f"{image}[{words}]({posixpath.relpath(aim, posixpath.dirname(target) or '.')}{mark}{anchor})"

    return LINK.sub(link, text)


def slug(heading: str) -> str:
    """The anchor that the extension `toc` gives a heading."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def rooms_page() -> str:
    maps = [f"## {path}\n\n```text\n{text}\n```" for folder in FOLDERS for path, text in maps_of_rooms(folder)]
    return page(
        "Maps of the rooms", "The docstring of each room's `__init__`; see [architecture](architecture.md).", maps
    )


def generated_pages() -> dict[str, str]:
    sys.path.insert(0, str(ROOT))  # again: MkDocs puts the path back behind an import of hooks
    return (
        {aim: (ROOT / file).read_text() for file, aim in PAGES.items()}
        | tensor_pages()
        | package_pages()
        | {"rooms.md": rooms_page()}
    )


def on_files(files: Any, config: Any) -> Any:
    from mkdocs.structure.files import File

    for path, text in generated_pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    own = page.file.src_uri
    sources = {aim: file for file, aim in PAGES.items()}
    return markdown if own.startswith("reference/") else relinked(markdown, sources.get(own, f"docs/{own}"), own)


def on_config(config: Any) -> Any:
    named = set(re.findall(r"[\w./-]+\.md", str(config["nav"])))
    parts = {title: pages for part in config["nav"] for title, pages in part.items()}
    there = [path.relative_to(DOCS).as_posix() for path in sorted(DOCS.rglob("*.md"))]
    for path in there:
        if path not in named:
            part = next((title for title, begins in PARTS.items() if path.startswith(begins)), OTHERS)
            parts[part].append(path)
    return config
