"""npm's options as data, and which of them leave open what the words after them are.

Owns npm's names and shorthands, and the one question that npm's own reading turns on: does an option take the next word?
Judges no setting: that is the rules' part.
"""

from __future__ import annotations

import re

from lifecycle.guard.call import Call
from lifecycle.guard.names import names
from lifecycle.guard.values import shown

__all__ = [
    "BEFORE_COMMAND", "BOOLEAN", "INDIFFERENT", "PATHS", "REFUSED", "SHORTHANDS", "VALUED", "VALUED_IN_SOME", "abbreviates", "check_countable",
]  # fmt: skip

# Options that name a program, a file that npm loads, or a place outside. Any abbreviation of them counts.
REFUSED = (
    "script-shell", "node-options", "git", "shell", "browser", "userconfig", "globalconfig", "init-module", "init.module", "editor",
    "viewer", "node-gyp", "python", "nodedir", "onload-script", "scripts-prepend-node-path", "global-prefix", "globalprefix",
    "global", "call", "package", "npm-path", "nodejs-path", "which-node", "gyp", "cache-folder", "tmp", "msvs-version",
)  # fmt: skip
PATHS = ("prefix", "cache", "logs-dir", "pack-destination", "local-prefix", "provenance-file")
BOOLEAN = names(
    """all allow-same-version audit bin-links commit-hooks description dev diff-name-only dry-run engine-strict
    force foreground-scripts format-package-lock fund git-tag-version global-style if-present ignore-scripts
    include-workspace-root install-links json legacy-bundling legacy-peer-deps link long offline optional
    package-lock package-lock-only parseable prefer-dedupe prefer-offline prefer-online production progress
    provenance read-only save save-bundle save-dev save-exact save-optional save-peer save-prod shrinkwrap
    sign-git-commit sign-git-tag strict-peer-deps strict-ssl timing unicode update-notifier usage version
    versions workspaces workspaces-update yes color dangerously-allow-all-scripts diff-ignore-all-space diff-no-prefix
    diff-text expect-results include-staged include-attestations init-private omit-lockfile-registry-resolved
    rebuild-bundle packages-all strict-allow-scripts allow-scripts-pending allow-scripts-pin bypass-2fa"""
)
VALUED = names(
    """access audit-level auth-type before ca cafile cert depth diff diff-unified fetch-retries
    fetch-timeout https-proxy include init-author-email init-author-name init-author-url init-license
    init-type init-version install-strategy key libc location lockfile-version loglevel maxsockets message
    noproxy omit only os cpu otp preid proxy registry save-prefix sbom-format sbom-type scope searchlimit
    searchopts tag tag-version-prefix umask user-agent workspace also _auth cache-max cache-min cidr diff-dst-prefix
    diff-src-prefix expect-result-count fetch-retry-factor fetch-retry-maxtimeout fetch-retry-mintimeout heading
    init.author.email init.author.name init.author.url init.license init.version local-address logs-max
    replace-registry-host searchexclude searchstaleness"""
)
# Some versions of npm do not know these: an argument after one of them is its value, or is not.
VALUED_IN_SOME = names(
    """allow-directory allow-file allow-git allow-remote allow-scripts expires name min-release-age
    min-release-age-exclude orgs packages scopes packages-and-scopes-permission orgs-permission password
    token-description"""
)
_SWITCHES = frozenset({"global", "no-yes", "no-global"})
_NEGATABLE = frozenset({"proxy", "https-proxy"})
INDIFFERENT = frozenset({"run", "test", "start", "stop", "restart"})  # whatever its words are, the project's scripts are what runs
BEFORE_COMMAND = frozenset({"loglevel", "workspace", "registry"})
SHORTHANDS = {
    "enjoy-by": "before", "d": "loglevel=info", "dd": "loglevel=verbose", "ddd": "loglevel=silly", "quiet": "loglevel=warn",
    "q": "loglevel=warn", "s": "loglevel=silent", "silent": "loglevel=silent", "verbose": "loglevel=verbose", "desc": "description",
    "help": "usage", "local": "no-global", "n": "no-yes", "no": "no-yes", "porcelain": "parseable", "readonly": "read-only",
    "reg": "registry", "iwr": "include-workspace-root", "ws": "workspaces", "a": "all", "c": "call", "f": "force", "g": "global",
    "L": "location", "l": "long", "m": "message", "p": "parseable", "C": "prefix", "S": "save", "B": "save-bundle",
    "D": "save-dev", "E": "save-exact", "O": "save-optional", "P": "save-prod", "?": "usage", "H": "usage", "h": "usage",
    "v": "version", "w": "workspace", "y": "yes",
}  # fmt: skip


def check_countable(call: Call, field: str) -> None:
    """Refuse an option of which it is not plain whether what follows is its value, or the command, or a word of it.

    npm gives a switch no value but true and false: `--audit=exec` is --audit and the word exec. A negation of what is no
    switch, and an abbreviation, may take the next word with it.
    """
    name, equals, value = field.lstrip("-").partition("=")
    bare = re.sub(r"(?i)\A(?:no-)+", "", name)
    is_negated = bare != name
    target, _, given = SHORTHANDS.get(name, name).partition("=")
    takes_value = not is_negated and not given and target in (VALUED | VALUED_IN_SOME | set(PATHS))
    if takes_value:
        is_plain = bool(equals) or target not in VALUED_IN_SOME
    elif equals:
        is_switch = target in BOOLEAN or bare in BOOLEAN or target in _SWITCHES
        is_unknown = field.startswith("--") and not is_negated and name not in SHORTHANDS and not is_switch and not abbreviates(name)
        is_plain = is_unknown or (not given and is_switch and value in ("true", "false")) or (target == "color" and value == "always")
    elif is_negated:
        is_plain = bare in BOOLEAN or bare in _NEGATABLE or bare == "global" or not (abbreviates(bare) or bare in VALUED_IN_SOME or bare in VALUED)
    else:
        is_plain = target in BOOLEAN or bool(given) or target in _SWITCHES or not abbreviates(name, of_values=True)
    if name and name not in SHORTHANDS and name not in BOOLEAN and all(letter in SHORTHANDS for letter in name):  # a cluster, after any number of dashes
        targets = [SHORTHANDS[letter] for letter in name]
        is_plain = not equals and not field.startswith("--") and not any(each in VALUED for each in targets[:-1])
    else:
        targets = [target]
    if not is_plain or "call" in targets or field.startswith("---"):
        call.refuse(f"it is not plain what follows {shown(field)!r}", "spell options out, switches without '=' and values with it")


def abbreviates(name: str, *, of_values: bool = False) -> bool:
    """Whether npm would, or in some version could, take the name for a longer one; one letter that begins many is none.

    Args:
        name: without its dashes.
        of_values: only longer ones that take a value count.
    """
    longer = [known for known in (*BOOLEAN, *VALUED, *VALUED_IN_SOME, *PATHS, *SHORTHANDS) if known.startswith(name) and known != name]
    if len(name) == 1 and len(longer) > 1:
        return False
    return any(SHORTHANDS.get(known, known) not in BOOLEAN and "=" not in SHORTHANDS.get(known, "") for known in longer) if of_values else bool(longer)
