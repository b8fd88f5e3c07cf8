"""Break the history checker in one place at a time, and see whether a history of test_history.py notices (`make mutants`).

Each mutant is one small change of faults/{history,invariants,order,told,figures}.py: a comparison, a condition, a number, a
text, a statement that is left out. One that no history tells from the checker lives, and then a history is missing, or the change
changes nothing that matters: those are in EQUIVALENT with the reason.
"""

from __future__ import annotations

import argparse
import ast
import importlib.abc
import importlib.util
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType

import pytest  # noqa: F401 - before the forks, which need it

from checker_equivalents import EQUIVALENT

ROOT = Path(__file__).parent.parent
MODULES = ("history", "invariants", "order", "told", "figures")
HANGS_SECONDS = 20

OTHER: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
}  # fmt: skip
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
Children = Iterator[tuple[ast.AST, str, int | None, ast.AST]]


@dataclass(frozen=True)
class Mutant:
    """One change: where it is, what stood there and what stands there now, and the module with it, compiled."""

    module: str
    line: int
    change: str
    code: CodeType

    @property
    def name(self) -> str:
        """The same as long as the place reads the same; no line number, which changes with any other."""
        return f"{self.module}: {self.change}"


def mutants(module: str) -> Iterator[Mutant]:
    """Every mutant of a module, in the order of the file."""
    path = ROOT / "faults" / f"{module}.py"
    tree = ast.parse(path.read_text())
    alike: Counter[str] = Counter()
    inside = {part: top for top in tree.body for part in ast.walk(top)}
    for parent, field, at, node in sorted(_children(tree), key=lambda child: _place(child[3])):
        if isinstance(inside[node], ast.Import | ast.ImportFrom) or _is_type(inside[node]):
            continue
        for new in _changes(node):
            before = ast.unparse(node)
            change = f"{getattr(inside[node], 'name', 'the module')}: {_short(before)} -> {_short(ast.unparse(new))}"
            _put(parent, field, at, ast.copy_location(new, node))
            code = compile(ast.fix_missing_locations(tree), str(path), "exec")
            _put(parent, field, at, node)
            alike[change] += 1
            number = f" (#{alike[change]})" if alike[change] > 1 else ""
            yield Mutant(module, getattr(node, "lineno", 0), change + number, code)


def _children(tree: ast.AST) -> Children:
    """Every place where one node could stand instead of another; not in types, nor in what only people read."""
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "decorator_list", "bases"):
            continue
        for at, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(node, ast.AST) or (
                isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            ):
                continue
            if hasattr(node, "lineno"):
                yield tree, field, at, node
            yield from _children(node)


def _is_type(top: ast.AST) -> bool:
    return (
        isinstance(top, ast.Assign)
        and "tuple[" in ast.unparse(top.value)
        and isinstance(top.value, ast.Subscript)
    )


def _place(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _put(parent: ast.AST, field: str, at: int | None, node: ast.AST) -> None:
    if at is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[at] = node


def _short(text: str) -> str:
    first, _, rest = text.partition("\n")
    return f"{first} ..." if rest else first


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(left, ops, comparators):
            for at, op in enumerate(ops):
                for other in OTHER[type(op)]:
                    yield ast.Compare(left, [*ops[:at], other(), *ops[at + 1 :]], comparators)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
            for at in range(len(values)):
                rest = values[:at] + values[at + 1 :]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(op, rest)
        case ast.UnaryOp(_, operand):
            yield operand
        case ast.BinOp(left, ast.Add() | ast.Sub() as op, right):
            yield ast.BinOp(left, ast.Sub() if isinstance(op, ast.Add) else ast.Add(), right)
        case ast.BinOp(left, ast.BitOr(), _):
            yield left
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(str(value)):
            yield ast.Constant(f"{value}?")
        case ast.IfExp(_, body, orelse):
            yield from (body, orelse)
        case ast.If(_, body, orelse):
            yield from (ast.If(ast.Constant(value), body, orelse) for value in (True, False))
        case (
            ast.ListComp(elt, [first]) | ast.SetComp(elt, [first]) | ast.GeneratorExp(elt, [first])
        ):
            for at in range(len(first.ifs)):
                fewer = ast.comprehension(
                    first.target, first.iter, first.ifs[:at] + first.ifs[at + 1 :], 0
                )
                yield type(node)(elt, [fewer])
        case ast.Call(ast.Name(name), args, keywords) if name in CALLS:
            if name != "sorted":
                yield ast.Call(ast.Name(CALLS[name], ast.Load()), args, keywords)
            else:
                yield ast.Call(ast.Name("list", ast.Load()), args, [])
        case ast.AugAssign(target, ast.Add() as op, value):
            yield ast.AugAssign(target, ast.Sub(), value)
            yield ast.Pass()
        case (
            ast.Assign()
            | ast.AugAssign()
            | ast.Expr()
            | ast.Delete()
            | ast.Continue()
            | ast.Break()
            | ast.Return()
        ):
            yield ast.Pass()


class Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module of faults from other code than that of its file."""

    def __init__(self, module: str, code: CodeType) -> None:
        self.module = f"faults.{module}"
        self.code = code

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name == self.module else None

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)


def lives(mutant: Mutant) -> bool:
    """Whether the tests of the checker hold with it; in a process of its own, since it may hang or leave things behind."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(HANGS_SECONDS)
            _hold(mutant)
            status = 0
        finally:
            os._exit(status)  # and nothing of what went wrong is told
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _hold(mutant: Mutant) -> None:
    sys.meta_path.insert(0, Instead(mutant.module, mutant.code))
    import test_history
    import test_history_corners as corners

    for tests in (test_history, corners):
        for name in tests.GOOD:
            tests.test_a_good_history_is_valid(name)
        for name in tests.BAD:
            tests.test_a_bad_history_is_rejected(name)
    test_history.test_figures_say_how_long_recovery_took_and_how_far_runs_overlapped()
    for before in corners.MAY:
        for after in (*corners.MAY, *corners.OVER):
            corners.test_a_step_is_legal_or_not(before, after)
    corners.test_a_job_begins_waiting()
    corners.test_the_figures_of_a_rich_history_are_all_told()
    corners.test_recoveries_are_told_from_the_quickest_to_the_slowest()
    corners.test_of_many_breaches_some_are_shown_and_all_are_counted()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("modules", nargs="*", default=MODULES, help=f"some of {', '.join(MODULES)}")
    begun = time.monotonic()
    made = killed = 0
    living: list[Mutant] = []
    for module in parser.parse_args().modules:
        for mutant in mutants(module):
            made += 1
            if lives(mutant):
                living.append(mutant)
            else:
                killed += 1
    unnamed = [mutant for mutant in living if mutant.name not in EQUIVALENT]
    for mutant in unnamed:
        print(f"lives: faults/{mutant.module}.py:{mutant.line} {mutant.change}")
    print(
        f"{made} mutants: {killed} found out, {len(living) - len(unnamed)} change nothing that matters, "
        f"{len(unnamed)} live; {time.monotonic() - begun:.0f} s"
    )
    return 1 if unnamed else 0


if __name__ == "__main__":
    sys.exit(main())
