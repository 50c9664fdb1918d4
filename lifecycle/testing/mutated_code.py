"""Small mistakes in functions, one at a time: comparisons, conditions, constants, arguments and statements.

A function is mistaken in place, so that whoever imported it meets the mistake. For pure functions at the top of a
module, or properties of its classes; never for code that other threads run meanwhile.
"""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType

__all__ = ["CodeMutant", "code_mutants", "functions_of"]


@dataclass(frozen=True, slots=True)
class CodeMutant:
    """One mistake in one function.

    Attributes:
        name: the function, the line, and what it says instead of what.
    """

    name: str
    function: FunctionType
    code: CodeType

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the mistake be made within the `with` block."""
        right = self.function.__code__
        self.function.__code__ = self.code
        try:
            yield
        finally:
            self.function.__code__ = right


def functions_of(module: ModuleType) -> list[FunctionType]:
    """The functions that a module defines, and its classes' properties, in their order."""
    found: list[FunctionType] = []
    for value in vars(module).values():
        if getattr(value, "__module__", None) != module.__name__:
            continue
        members = [value, *vars(value).values()] if isinstance(value, type) else [value]
        for member in members:
            function = member.fget if isinstance(member, property) else inspect.unwrap(member) if callable(member) else None
            if isinstance(function, FunctionType) and function.__code__.co_filename == module.__file__:
                found.append(function)
    return found


def code_mutants(function: FunctionType) -> Iterator[CodeMutant]:
    """Every small mistake in `function`."""
    lines, first = inspect.getsourcelines(function)
    tree = ast.parse(inspect.cleandoc("\n" + "".join(lines)) if lines[0][:1].isspace() else "".join(lines))
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef):
        return
    definition.decorator_list = []
    for index, node in enumerate(ast.walk(definition)):
        for variant, mistaken in enumerate(_mistakes(node)):
            changed = copy.deepcopy(tree)
            target = list(ast.walk(changed.body[0]))[index]
            _put(changed, target, list(_mistakes(target))[variant])
            before, after = _words(node), _words(mistaken)
            code = _compiled(changed, function)
            if code.co_code == function.__code__.co_code and code.co_consts == function.__code__.co_consts:
                continue
            line = first + getattr(node, "lineno", 1) - 1
            yield CodeMutant(f"{function.__module__}.{function.__qualname__}:{line}: {before} -> {after}", function, code)


_SWAPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


def _mistakes(node: ast.AST) -> Iterator[ast.AST]:  # one case a kind of node
    if isinstance(node, ast.Compare):
        yield ast.Compare(node.left, [_SWAPPED[type(node.ops[0])](), *node.ops[1:]], node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        yield from node.values
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield ast.BinOp(node.left, ast.Sub() if isinstance(node.op, ast.Add) else ast.Add(), node.right)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Call):
        for index in range(len(node.keywords)):
            yield ast.Call(node.func, node.args, [*node.keywords[:index], *node.keywords[index + 1 :]])
        if isinstance(node.func, ast.Name) and node.func.id in ("max", "min"):
            yield ast.Call(ast.Name("min" if node.func.id == "max" else "max", ast.Load()), node.args, node.keywords)
    elif isinstance(node, ast.If):
        yield ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
        yield ast.If(ast.Constant(False), node.body, node.orelse)


def _put(tree: ast.AST, target: ast.AST, mistaken: ast.AST) -> None:
    class Putting(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return mistaken if node is target else self.generic_visit(node)

    ast.fix_missing_locations(Putting().visit(tree))


def _compiled(tree: ast.Module, function: FunctionType) -> CodeType:
    import __future__

    module = compile(
        tree, function.__code__.co_filename, "exec", flags=__future__.annotations.compiler_flag, dont_inherit=True
    )
    return next(each for each in module.co_consts if isinstance(each, CodeType))


def _words(node: ast.AST) -> str:
    text = ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).replace("\n", " ")
    return text if len(text) <= 90 else text[:87] + "..."
