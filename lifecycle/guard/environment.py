"""Variables that change what a program runs, loads or writes.

Owns the names, as data, and the few whose value decides. Any other variable is the command's own business.
"""

from __future__ import annotations

import re

from lifecycle.guard.names import names
from lifecycle.guard.paths import is_inside
from lifecycle.guard.values import ENV, NUM, is_known, shown

__all__ = ["refusal_of"]

_SHELL = names(
    """PATH CDPATH ENV SHELL IFS HOME PWD OLDPWD PS0 PS1 PS2 PS3 PS4 PROMPT_COMMAND SHELLOPTS BASHOPTS
    POSIXLY_CORRECT GLOBIGNORE EXECIGNORE FIGNORE FUNCNEST HISTFILE HISTCONTROL HISTTIMEFORMAT INPUTRC TMOUT
    MAIL MAILPATH MAILCHECK TEXTDOMAIN TEXTDOMAINDIR NLSPATH LOCPATH GCONV_PATH GLIBC_TUNABLES RES_OPTIONS
    HOSTALIASES LOCALDOMAIN TZDIR GETCONF_DIR MALLOC_TRACE SEGFAULT_OUTPUT_NAME TERMINFO TERMINFO_DIRS
    TERMCAP LD AUXV UID EUID PPID GROUPS DIRSTACK _ LINENO FUNCNAME PIPESTATUS HISTCMD SRANDOM EPOCHSECONDS
    EPOCHREALTIME"""
)
# bash evaluates what is assigned to some of these, and all of them hold another value later.
_NUMERIC = names(
    """RANDOM SECONDS OPTIND OPTERR COLUMNS LINES SHLVL HISTSIZE HISTFILESIZE"""
)
_NUMBER = re.compile(f"[0-9{NUM}]*\\Z")
_LOCALE = re.compile(r"LANG|LANGUAGE|LC_[A-Z]+")
# In other character sets a backslash can be the second half of a character, and quotes end elsewhere.
_UTF8_OR_ASCII = re.compile(f"(?:(?:C|POSIX|[a-z]{{2,3}}(?:_[A-Z]{{2}})?)\\.(?:UTF-?8|utf-?8)|C|POSIX|en(?:_[A-Z]{{2}})?|{ENV})?\\Z")
_STARTED_BY_OTHERS = names(
    """PAGER MANPAGER MANOPT LESS LESSOPEN LESSCLOSE LESSKEY LESSKEYIN LESSEDIT EDITOR VISUAL FCEDIT
    SUDO_EDITOR SELECTED_EDITOR BROWSER ASKPASS SSH_ASKPASS SSH_ASKPASS_REQUIRE SUDO_ASKPASS SSH_AUTH_SOCK
    RSYNC_RSH CVS_RSH SVN_SSH VIMINIT EXINIT MORE MOST TAR_OPTIONS GZIP UNZIP ZIPOPT GREP_OPTIONS LS_OPTIONS
    MAKE MAKEFLAGS GNUMAKEFLAGS MAKEFILES MFLAGS MAKESHELL CC CXX CPP AS AR NM LINKER CFLAGS CXXFLAGS
    CPPFLAGS LDFLAGS COMPILER_PATH GCC_EXEC_PREFIX LIBRARY_PATH C_INCLUDE_PATH CPATH TMUX STY
    DISPLAY_MANAGER FZF_DEFAULT_COMMAND RIPGREP_CONFIG_PATH ACK_OPTIONS CURL_HOME WGETRC NETRC AWKPATH
    AWKLIBPATH"""
)
_LANGUAGES = names(
    """NODE_PATH NODE_REPL_EXTERNAL_MODULE NODE_REPL_HISTORY NODE_REDIRECT_WARNINGS NODE_ICU_DATA
    NODE_COMPILE_CACHE NODE_PRESERVE_SYMLINKS_MAIN NODE_TLS_REJECT_UNAUTHORIZED NODE_EXTRA_CA_CERTS
    NODE_GYP_FORCE_PYTHON PYTHON CHROME_BIN CHROME_PATH CHROMIUM_BIN FIREFOX_BIN ELECTRON_OVERRIDE_DIST_PATH
    NODE_V8_COVERAGE NODE_PENDING_PIPE_INSTANCES ELECTRON_RUN_AS_NODE PREFIX DESTDIR COREPACK_HOME INIT_CWD
    ESBUILD_BINARY_PATH PUPPETEER_EXECUTABLE_PATH PYTHONSTARTUP PYTHONHOME PYTHONINSPECT PYTHONPLATLIBDIR
    PYTHONUSERBASE PYTHONEXECUTABLE PYTHONBREAKPOINT PYTHONWARNINGS PYTHONPYCACHEPREFIX PYTEST_ADDOPTS
    PYTEST_PLUGINS PERL5LIB PERL5OPT PERL5DB PERLLIB PERL5SHELL RUBYOPT RUBYLIB RUBYSHELL GEM_HOME GEM_PATH
    BUNDLE_GEMFILE LUA_PATH LUA_CPATH LUA_INIT TCLLIBPATH PHPRC PHP_INI_SCAN_DIR CLASSPATH JAVA_TOOL_OPTIONS
    JDK_JAVA_OPTIONS _JAVA_OPTIONS JAVA_HOME MAVEN_OPTS MAVEN_ARGS GRADLE_OPTS GRADLE_USER_HOME ANT_OPTS
    RUSTC RUSTDOC RUSTFMT RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER RUSTFLAGS RUSTDOCFLAGS RUSTUP_TOOLCHAIN
    RUSTUP_HOME GOFLAGS GOROOT GOPATH GOBIN GOENV GOTOOLDIR GOTOOLCHAIN GOCACHE GOCACHEPROG GOMODCACHE
    GOPROXY GONOSUMDB GOSUMDB GOVCS GOAUTH GCCGO GCCGOTOOLDIR VIRTUAL_ENV CONDA_EXE SSLKEYLOGFILE
    OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES DOCKER_HOST DOCKER_CONFIG KUBECONFIG AWS_CONFIG_FILE
    BASHPID"""
)
_REFUSED_NAMES = _SHELL | _STARTED_BY_OTHERS | _LANGUAGES
_REFUSED_PATTERNS = re.compile(
    r"(?:LD|DYLD|BASH|XDG|COMP|READLINE|MAN|GCONV)_.*|BASH.*|(?i:npm)_.*|YARN_.*|PNPM_.*|BUN_.*|DENO_.*|CARGO_.*|CGO_.*"
    r"|UV_.*|PIP_.*|PIPX?_.*|POETRY_.*|RUFF_.*|TOX_.*|HATCH_.*|COVERAGE_PROCESS_START|SUDO_.*|SSH_.*|GPG_.*|GNUPGHOME"
    r"|PKG_CONFIG.*|CMAKE_.*|GIT_.*|LIFECYCLE_.*|ANTHROPIC_.*|CLAUDE_.*"
)
_GIT_ACCEPTED = names(
    """GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL
    GIT_COMMITTER_DATE GIT_TERMINAL_PROMPT GIT_MERGE_AUTOEDIT GIT_OPTIONAL_LOCKS GIT_FLUSH
    GIT_LITERAL_PATHSPECS GIT_ADVICE GIT_MERGE_VERBOSITY GIT_DISCOVERY_ACROSS_FILESYSTEM GIT_LFS_SKIP_SMUDGE"""
)
_GIT_SWITCHES = re.compile(r"GIT_(?:CURL_VERBOSE|TRACE(?:_[A-Z0-9_]+)?)\Z")
_SWITCH = re.compile(r"[0-2]\Z|true\Z|false\Z")
_GIT_PATHS = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_CEILING_DIRECTORIES", "GIT_COMMON_DIR"})
_PATHS = frozenset({"PYTHONPATH", "TMPDIR", "TMP", "TEMP", "TEMPDIR"})


def refusal_of(name: str, value: str, project: str, directory: str) -> str | None:
    """Why the assignment is refused, and what would be accepted; None if it is not.

    Args:
        name: the variable.
        value: an expanded value, perhaps with unknown text.
        project: the project's absolute path.
        directory: the working directory.
    """
    if name == "NODE_OPTIONS":
        return _node_options(value, project, directory)
    if name in _PATHS:
        return _path(name, value, project, directory)
    if name == "BROWSER" and value == "none":
        return None
    if name in _NUMERIC and not _NUMBER.match(value):
        return f"the variable {name} is bash's own, which evaluates what it is given; a number is accepted"
    if _LOCALE.fullmatch(name) and not _UTF8_OR_ASCII.match(value):
        return f"the variable {name} changes how bash reads the command; C and UTF-8 locales are accepted"
    if name.startswith("GIT_"):
        return _git(name, value, project, directory)
    if name in _REFUSED_NAMES or _REFUSED_PATTERNS.fullmatch(name):
        return f"the variable {name} changes what programs run, load or write; leave it as it is"
    return None


def _path(name: str, value: str, project: str, directory: str) -> str | None:
    if name != "PYTHONPATH" and value.rstrip("/") == "/tmp":  # noqa: S108  # where everybody's temporary files are
        return None
    if all(piece in ("", ".") or is_inside(piece, project, directory) for piece in value.split(":")):
        return None
    return f"the variable {name} names {shown(value)!r}; directories inside the project are accepted"


def _git(name: str, value: str, project: str, directory: str) -> str | None:
    if name in _GIT_ACCEPTED:
        return None
    if _GIT_SWITCHES.match(name) and _SWITCH.match(value):
        return None
    is_repository = name != "GIT_DIR" or value.rstrip("/").endswith(".git")
    if name in _GIT_PATHS and is_repository and is_inside(value, project, directory):
        return None
    return f"the variable {name} changes what git runs, reads or writes; author and committer variables are accepted"


def _node_options(value: str, project: str, directory: str) -> str | None:
    from lifecycle.guard.rules.node import options_refusal

    if not is_known(value) or any(character in value for character in "\"'\\"):
        return "the variable NODE_OPTIONS must be plain options such as --max-old-space-size=4096"
    return options_refusal(value.split(), project, directory)
