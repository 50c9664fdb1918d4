"""Rules for node: a script inside the project, with options that load and write nothing else.

Owns node's options. Code on the command line or on standard input can do what the policy forbids without leaving a file
that anybody could read: `node` refuses it, `node_with_code` is for profiles that leave that to the sandbox.
"""

from __future__ import annotations

import re

from lifecycle.guard.call import Call
from lifecycle.guard.names import names
from lifecycle.guard.paths import is_inside
from lifecycle.guard.values import NAME, SPLIT, is_known, may_be_option, may_vanish, shown

__all__ = ["node", "node_with_code", "options_refusal"]

_FLAGS = names(
    """abort-on-uncaught-exception check completion-bash enable-source-maps experimental-abortcontroller
    experimental-detect-module experimental-eventsource experimental-fetch experimental-global-customevent
    experimental-global-navigator experimental-global-webcrypto experimental-import-meta-resolve
    experimental-json-modules experimental-modules experimental-network-inspection experimental-permission
    permission experimental-print-required-tla experimental-repl-await experimental-require-module
    experimental-sqlite experimental-strip-types experimental-test-coverage
    experimental-test-module-mocks experimental-test-snapshots experimental-top-level-await
    experimental-transform-types experimental-vm-modules experimental-wasm-modules experimental-websocket
    experimental-webstorage experimental-worker expose-gc expose_gc frozen-intrinsics help inspect
    inspect-brk inspect-wait jitless no-addons no-deprecation no-experimental-fetch
    no-experimental-global-navigator no-experimental-require-module no-experimental-strip-types
    no-experimental-websocket no-experimental-detect-module no-warnings openssl-legacy-provider
    pending-deprecation preserve-symlinks preserve-symlinks-main report-compact report-on-fatalerror
    report-uncaught-exception test test-force-exit test-only throw-deprecation trace-deprecation trace-exit
    trace-gc trace-sigint trace-sync-io trace-tls trace-uncaught tls-min-v1.2 tls-min-v1.3 tls-max-v1.2 tls-max-v1.3 trace-warnings trace-promises v8-options
    version warnings deprecation watch watch-preserve-output zero-fill-buffers track-heap-objects
    use-bundled-ca use-openssl-ca use-system-ca insecure-http-parser allow-addons prof cpu-prof heap-prof
    use-strict harmony harmony-top-level-await harmony-import-assertions harmony-shadow-realm allow-worker
    stack-trace-limit"""
)
_VALUED = names(
    """conditions test-name-pattern test-skip-pattern test-timeout test-concurrency test-shard
    unhandled-rejections max-http-header-size dns-result-order disable-warning disable-proto title
    inspect-port heapsnapshot-near-heap-limit secure-heap secure-heap-min test-isolation experimental-test-isolation
    experimental-default-type network-family-autoselection-attempt-timeout max-old-space-size
    max-semi-space-size stack-size stack-trace-limit max-old-space-size-percentage trace-event-categories
    test-coverage-exclude test-coverage-include test-coverage-lines test-coverage-functions
    test-coverage-branches
    tls-cipher-list cpu-prof-interval heap-prof-interval
    allow-fs-read"""
)
_V8_VALUED = frozenset({"max-old-space-size", "max-semi-space-size", "stack-size", "stack-trace-limit", "experimental-specifier-resolution", "es-module-specifier-resolution"})
_PATHS = frozenset({"env-file", "env-file-if-exists", "watch-path", "test-reporter-destination", "test-rerun-failures"})
_INSPECT = frozenset({"inspect", "inspect-brk", "inspect-wait"})
_SHORT = {"v": "version", "h": "help", "c": "check"}
_REPORTERS = frozenset({"spec", "tap", "dot", "junit", "lcov"})
_PROGRAM_OPTIONS = frozenset({"version", "help", "v8-options", "completion-bash", "test"})
_BUILTIN_SCRIPTS = frozenset({"inspect", "debug"})
_INSTEAD = "put the program into a file inside the project and run 'node FILE'"


def node(call: Call) -> None:
    """A script inside the project; its own arguments are its own business."""
    at, complete = _options(call)
    if at >= len(call.arguments):
        if not complete:
            call.refuse("without a script it runs a program from standard input", _INSTEAD)
        return
    call.require_directory_inside()
    script = call.arguments[at]
    if script == "-" or script in _BUILTIN_SCRIPTS:
        call.refuse(f"{script!r} makes it run code from standard input", _INSTEAD)
    operands = [script]
    if complete:  # node --test FILE FILE
        operands = list(call.arguments[at:])
    for path in operands:
        if may_be_option(path) or may_vanish(path) or not path.strip(NAME):  # '*' finds a file named -e
            call.refuse(f"the argument {shown(path)!r} is not certainly a script", _INSTEAD)
        call.require_inside(path, "the script")


def node_with_code(call: Call) -> None:
    """Also code after -e or -p or in a here-document, and preloaded modules. What is piped in is refused."""
    fields = list(call.arguments)
    kept: list[str] = []
    at = 0
    while at < len(fields) and fields[at].startswith("-") and fields[at] != "--":
        if _CODE.match(fields[at]) or (fields[at] == "-" and call.is_fed_here):
            return
        name, _, value = fields[at].partition("=")
        if name in _PRELOADS:
            if not value:
                at += 1
                value = fields[at] if at < len(fields) else ""
            if not _MODULE.match(value):
                call.require_inside(value, f"the module of {name}")
        elif name != "--input-type":
            _, _, after = _option(call, fields, at)
            kept.extend(fields[at:after])
            at = after
            continue
        at += 1
    if at >= len(fields) and call.is_fed_here:
        return
    call.arguments = [*kept, *fields[at:]]
    try:
        node(call)
    finally:
        call.arguments = fields


_CODE = re.compile(r"-(?:e|p|pe)\Z|--(?:eval|print)(?:=|\Z)")
_PRELOADS = frozenset({"-r", "--require", "--import", "--loader", "--experimental-loader"})
_MODULE = re.compile(r"(?:node:)?@?[A-Za-z0-9][\w-]*(?:/[\w.-]+)*\Z")


def _options(call: Call) -> tuple[int, bool]:
    """The position of the script, and whether node runs without one."""
    at = 0
    complete = False
    fields = list(call.arguments)
    while at < len(fields):
        argument = fields[at]
        if argument == "--":
            at += 1
            break
        if not argument.startswith("-") or argument == "-":
            break
        name, value, at = _option(call, fields, at)
        complete = complete or name in _PROGRAM_OPTIONS
        refusal = _option_refusal(name, value, call.project, call.directories)
        if refusal:
            call.refuse(refusal, _INSTEAD)
    return at, complete


def _option(call: Call, fields: list[str], at: int) -> tuple[str, str | None, int]:
    """Name, value and the position after the option at `at`."""
    argument = fields[at]
    if SPLIT in argument or (not is_known(argument) and not is_known(argument.partition("=")[0])):
        call.refuse(f"the argument {shown(argument)!r} is not certainly a script", _INSTEAD)
    if not argument.startswith("--"):
        name, value = argument[1:], None
        if name == "C":
            return "conditions", fields[at + 1] if at + 1 < len(fields) else None, at + 2
        return _SHORT.get(name, "-" + name), value, at + 1
    name, equals, text = argument[2:].partition("=")
    name = name.replace("_", "-")
    if equals:
        return name, text, at + 1
    if (name in _VALUED and name not in _V8_VALUED) or name in _PATHS or name == "test-reporter":
        if at + 1 >= len(fields) or may_be_option(fields[at + 1]):
            call.refuse(f"the option --{name} lacks its value", f"write --{name}=VALUE")
        return name, fields[at + 1], at + 2
    return name, None, at + 1


def _option_refusal(name: str, value: str | None, project: str, directories: tuple[str, ...]) -> str | None:
    if name in _FLAGS or name in _VALUED or name in _V8_VALUED:
        if name in _INSPECT and value is not None and not re.fullmatch(r"[\w.:\[\]-]+", value):
            return f"the option --{name} with {shown(value)!r} is not accepted"
        return None
    if name == "test-reporter" and value in _REPORTERS:
        return None
    if name in _PATHS and value is not None:
        if value in ("stdout", "stderr") or all(is_inside(value, project, directory) for directory in directories):
            return None
        return f"the option --{name} names {shown(value)!r}, not certainly inside the project"
    dashes = name if name.startswith("-") else "--" + name
    return f"the option {dashes!r} is not accepted: it runs, loads or writes something beside the script"


def options_refusal(options: list[str], project: str, directory: str) -> str | None:
    """Why a NODE_OPTIONS value is refused; None if every option in it is accepted."""
    for option in options:
        if not option.startswith("--"):
            return f"the variable NODE_OPTIONS holds {shown(option)!r}; options such as --max-old-space-size=4096 are accepted"
        name, equals, value = option[2:].partition("=")
        refusal = _option_refusal(name.replace("_", "-"), value if equals else None, project, (directory,))
        if refusal:
            return f"the variable NODE_OPTIONS: {refusal}"
    return None
