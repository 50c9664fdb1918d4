"""Rules for other languages' interpreters, package managers and build tools.

Owns, per program, the few forms that take code from the command line, write elsewhere or load something foreign.
Allowed interpreters run the project's code: what that code does is the sandbox's business, not this module's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from lifecycle.guard.call import Call
from lifecycle.guard.values import NAME, is_known, may_be_option, shown

__all__ = ["LANGUAGES", "python_with_code"]


@dataclass(frozen=True, slots=True)
class _Tool:
    """A program by what it refuses.

    Attributes:
        subcommands: the accepted first words; empty for any.
        refused: options refused, alone, with `=value` or a value attached.
        paths: options whose value must be inside the project.
        directory: options that choose the directory to work in.
        stop: words after which the arguments belong to somebody else's program.
        operands_inside: whether every operand is a path to be held inside.
    """

    subcommands: frozenset[str] = frozenset()
    refused: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    operands_inside: bool = False


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NODE_MANAGERS = "install i add remove rm update up upgrade run run-script test t start build lint why list ls outdated audit info init"
_TOOLS = {
    "pip": _Tool(
        _words("install uninstall list show freeze check download wheel --version -V help index inspect cache config debug hash"),
        ("--python", "--editor", "--proxy", "--cert", "--client-cert", "--config-settings", "--global-option", "--build-option"),
        ("-t", "--target", "--prefix", "--root", "--log", "--report", "-d", "--dest", "-w", "--wheel-dir", "--cache-dir", "--src"),
    ),
    "uv": _Tool(
        _words("sync lock add remove tree venv version --version init build export run pip help cache"),
        ("--python-preference", "--config-file", "--with-executables-from", "--allow-insecure-host"),
        ("--directory", "--project", "--cache-dir", "-o", "--output-file", "--target", "--prefix", "--env-file", "--out-dir"),
    ),
    "pytest": _Tool(refused=("-p", "-c", "--config-file", "--pdbcls", "--pastebin", "--import-mode-plugin", "--pdb", "--trace"),
                    paths=("--rootdir", "--basetemp", "--junitxml", "--junit-xml", "--confcutdir", "-o", "--override-ini", "--log-file", "--result-log"),
                    operands_inside=True),
    "ruff": _Tool(_words("check format rule config linter clean --version version analyze help"),
                  paths=("--config", "--cache-dir", "-o", "--output-file"), operands_inside=True),
    "mypy": _Tool(refused=("--python-executable", "--custom-typeshed-dir", "--custom-typing-module", "--shadow-file"),
                  paths=("--config-file", "--cache-dir", "--junit-xml", "--html-report", "--txt-report", "--xml-report")),
    "black": _Tool(paths=("--config",), operands_inside=True), "isort": _Tool(operands_inside=True),
    "flake8": _Tool(refused=("--config", "--append-config", "--output-file"), operands_inside=True),
    "make": _Tool(refused=("-E", "--eval", "-I", "--include-dir", "SHELL", ".SHELLFLAGS", "MAKEFLAGS", "MAKE", "MAKEFILES", "CC", "CXX",
                           "LD", "AR", "RM", "INSTALL", "DESTDIR", "PATH", "LD_PRELOAD", "-"), paths=("-f", "--file", "--makefile", "-C", "--directory", "-o", "-W")),
    "cargo": _Tool(_words("build b check c test t run r clippy fmt clean doc tree metadata update add remove bench fix version --version "
                          "fetch search generate-lockfile locate-project verify-project init new"),
                   ("--config", "-Z", "--registry-config"), ("--manifest-path", "--target-dir", "--artifact-dir", "--out-dir", "-C", "--lockfile-path")),
    "go": _Tool(_words("build test run vet fmt mod list version get doc clean generate env tool work"),
                ("-toolexec", "--toolexec", "-exec", "--exec", "-vettool", "--vettool", "-overlay", "-modfile", "-w", "-ldflags",
                 "--ldflags", "-gcflags", "--gcflags", "-gccgoflags", "-asmflags", "-pkgdir", "-u=patch"),
                ("-o", "--o", "-C", "--C", "-outputdir", "-coverprofile", "-cpuprofile", "-memprofile", "-blockprofile", "-mutexprofile", "-trace", "-testlogfile")),
    "gofmt": _Tool(refused=("-cpuprofile",), operands_inside=True),
    "yarn": _Tool(_words(_NODE_MANAGERS + " --version -v"), ("--use-yarnrc", "--script-shell", "--node-options", "--yarn-path"),
                  ("--cwd", "--modules-folder", "--cache-folder", "--global-folder"), ("--",)),
    "pnpm": _Tool(_words(_NODE_MANAGERS + " --version -v ci prune dedupe rebuild"), ("--script-shell", "--shell-emulator", "--node-options", "-g",
                  "--global", "--use-node-version", "--pnpmfile", "--global-pnpmfile", "--config"), ("-C", "--dir", "--store-dir", "--modules-dir"), ("--",)),
    "tsc": _Tool(refused=("--plugins",), paths=("-p", "--project", "--outDir", "--outFile", "--declarationDir", "--tsBuildInfoFile", "--generateTrace", "--generateCpuProfile")),
    "eslint": _Tool(refused=("--resolve-plugins-relative-to", "--rulesdir", "--plugin", "--parser", "-f", "--format"), paths=("-c", "--config", "-o", "--output-file", "--cache-location"), operands_inside=True),
    "prettier": _Tool(refused=("--plugin", "--plugin-search-dir", "--find-config-path"), paths=("--config", "--cache-location"), operands_inside=True),
}  # fmt: skip
_NPX_PACKAGES = _words(
    """tsc eslint prettier vitest jest mocha vite next playwright cypress webpack rollup esbuild tsx ts-node nodemon svelte-check astro
    biome stylelint typedoc tailwindcss prisma drizzle-kit nx turbo lerna c8 nyc tap ava rimraf husky lint-staged"""
)
_PYTHON_MODULES = _words(
    """pytest unittest pip venv mypy ruff black isort flake8 pylint compileall json.tool http.server coverage build doctest timeit
    py_compile pyflakes pycodestyle django flask uvicorn gunicorn alembic sphinx mkdocs pydoc site platform ensurepip tox nox"""
)
_CODE = re.compile(r"-[BbdEhIOqRsSuvx]*c")
_PYTHON_FLAGS = re.compile(r"-[BbdEhIOqRsSuvVx?]+\Z")


def _tool(name: str, spec: _Tool) -> Callable[[Call], None]:
    def judge(call: Call) -> None:
        _scan(call, spec)

    judge.__name__ = name
    judge.__doc__ = f"The accepted forms of {name}."
    return judge


def _scan(call: Call, spec: _Tool) -> None:
    call.require_directory_inside()
    arguments = list(call.arguments)
    seen_subcommand = not spec.subcommands
    at = 0
    while at < len(arguments):
        argument = arguments[at]
        at += 1
        if argument in spec.stop and seen_subcommand:
            return
        _check_option(call, spec, argument)
        path = next((name for name in spec.paths if _is_option(argument, name)), None)
        if path:
            value = argument[len(path) :].lstrip("=")
            if not value:
                value = arguments[at] if at < len(arguments) else ""
                at += 1
            call.require_inside(value, path)
            continue
        if not seen_subcommand and (not argument.startswith("-") or argument in spec.subcommands):
            if argument not in spec.subcommands:
                call.refuse(f"the command {shown(argument)!r} is not accepted", ", ".join(sorted(spec.subcommands)))
            seen_subcommand = True
        elif spec.operands_inside and not argument.startswith("-") and ("/" in argument or argument == ".."):
            call.require_inside(argument.partition("::")[0], "the path")
    _after(call)


def _check_option(call: Call, spec: _Tool, argument: str) -> None:
    """Refuse an argument that is, or could be, an option of the refused ones."""
    if may_be_option(argument) and not argument.startswith("-"):
        call.refuse(f"the argument {shown(argument)!r} could be an option", "spell it")
    if argument.startswith("-") and NAME in argument.partition("=")[0]:
        call.refuse(f"the option {shown(argument)!r} is not known literally", "spell it")
    option = next((name for name in spec.refused if _is_option(argument, name)), None)
    if option:
        call.refuse(f"the option {shown(argument)!r} is not accepted: it runs or loads something else", "leave it out")


def _is_option(argument: str, name: str) -> bool:
    if argument == name:
        return True
    if name.startswith("--") or not name.startswith("-"):
        long = argument.partition("=")[0]
        if "=" in argument and long == name:
            return True
        return name.startswith("--") and len(long) > 4 and name.startswith(long) and long.startswith("--")
    if len(name) > 2:
        return argument.startswith(name + "=")
    return len(name) == 2 and argument.startswith(name) and not argument.startswith("--")


def _after(call: Call) -> None:
    """Subcommands that run a program of the caller's choosing."""
    words = [argument for argument in call.arguments if not argument.startswith("-")]
    if call.program == "uv" and words[:1] == ["run"]:
        at = list(call.arguments).index("run") + 1
        if at < len(call.arguments) and call.arguments[at].startswith("-"):
            call.refuse("options between 'uv run' and the program are not accepted", "'uv run PROGRAM' is")
        call.inner(call.arguments[at:], "uv run")
    if call.program == "uv" and words[:1] == ["pip"] and words[1:2] not in (["install"], ["list"], ["freeze"], ["show"], ["sync"], ["check"], ["compile"], ["uninstall"], ["tree"]):
        call.refuse("this 'uv pip' command is not accepted", "install, list, show and freeze are")
    if call.program == "pip" and words[:1] == ["config"] and words[1:2] not in (["list"], ["get"], ["debug"]):
        call.refuse("'pip config' may only be read", "list and get are accepted")
    if call.program == "go" and words[:1] in (["env"], ["tool"], ["generate"]) and (words[0] != "env" or len(words) > 3):
        call.refuse(f"'go {words[0]}' runs programs", "build, test, run, vet and mod are accepted")
    if call.program == "make" and any("$(" in argument or "`" in argument for argument in call.arguments):
        call.refuse("a variable with a command in it is not accepted")


def python(call: Call) -> None:
    """A script inside the project, or `-m` with a known module. Code after -c, from input and a console are refused."""
    _python(call, accepts_code=False)


def python_with_code(call: Call) -> None:
    """Also code after -c or in a here-document, and any module. What is piped in, and a console, are refused."""
    _python(call, accepts_code=True)


def _python(call: Call, *, accepts_code: bool) -> None:
    arguments = list(call.arguments)
    at = 0
    while at < len(arguments) and arguments[at].startswith("-") and arguments[at] != "-":
        argument = arguments[at]
        if argument in ("--version", "--help"):
            return
        if argument.startswith("-m"):
            _module(call, argument[2:] or (arguments[at + 1] if at + 1 < len(arguments) else ""),
                    arguments[at + 1 :] if argument[2:] else arguments[at + 2 :], is_any=accepts_code)  # fmt: skip
            return
        if accepts_code and _CODE.match(argument):
            return
        if argument in ("-W", "-X"):
            if argument == "-X" and at + 1 < len(arguments) and not re.fullmatch(r"dev|utf8(=[01])?|faulthandler|importtime", arguments[at + 1]):
                call.refuse(f"the option -X {shown(arguments[at + 1])!r} is not accepted", "-X dev is")
            at += 1
        elif not _PYTHON_FLAGS.match(argument):
            call.refuse(f"the option {shown(argument)!r} is not accepted", f"a script file, {'-c CODE, ' if accepts_code else ''}or -m with a module, is")
        elif re.fullmatch(r"-[A-Za-z?]*[Vh?][A-Za-z]*", argument):
            return
        at += 1
    _script(call, arguments[at] if at < len(arguments) else "-", accepts_code)


def _script(call: Call, script: str, accepts_code: bool) -> None:
    if accepts_code and call.is_fed_here and script == "-":
        return
    if script == "-" or may_be_option(script):
        instead = "-c CODE, a here-document, or a file inside the project is accepted"
        call.refuse("it would run code from its input", instead if accepts_code else "put the code into a file inside the project")
    call.require_directory_inside()
    call.require_inside(script, "the script")


def _module(call: Call, module: str, arguments: list[str], *, is_any: bool) -> None:
    if is_any and module not in _PYTHON_MODULES and re.fullmatch(r"[A-Za-z_][\w.]*", module):
        call.require_directory_inside()
        return
    if module not in _PYTHON_MODULES:
        call.refuse(f"the module {shown(module)!r} is not accepted", ", ".join(sorted(_PYTHON_MODULES)))
    call.require_directory_inside()
    if module in LANGUAGES and module != "python":
        call.inner([module, *arguments], f"-m {module}")
    elif module in ("venv", "compileall", "timeit", "build", "pydoc", "site", "ensurepip"):
        if module in ("timeit", "pydoc", "site", "ensurepip") and not is_any:
            call.refuse(f"the module {module!r} runs or changes something else")
        for argument in arguments if module in ("venv", "compileall", "build") else ():
            if not argument.startswith("-"):
                call.require_inside(argument, "the directory")


def npx(call: Call) -> None:
    """A known development tool of the project, by its plain name."""
    arguments = [argument for argument in call.arguments if argument not in ("--no-install", "--no", "-y", "--yes", "--offline", "--quiet", "-q")]
    if not arguments or arguments[0].startswith("-") or not is_known(arguments[0]):
        if arguments in (["--version"], ["-v"], ["--help"]):
            return
        call.refuse("only 'npx TOOL' with a known tool is accepted", ", ".join(sorted(_NPX_PACKAGES)))
    tool = arguments[0]
    if tool not in _NPX_PACKAGES:
        call.refuse(f"the tool {shown(tool)!r} is not accepted", ", ".join(sorted(_NPX_PACKAGES)))
    call.require_directory_inside()
    if tool in LANGUAGES:
        call.inner(arguments, "npx")


LANGUAGES: dict[str, Callable[[Call], None]] = {
    **{name: _tool(name, spec) for name, spec in _TOOLS.items()},
    "pip3": _tool("pip3", _TOOLS["pip"]),
    "python": python,
    "python3": python,
    "npx": npx,
}
