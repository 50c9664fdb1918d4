"""Which keys of git's configuration may be set: those that name no program, no file outside and no other configuration.

Owns the list. It is one of accepted keys: git grows new ones that run programs.
"""

from __future__ import annotations

import re

__all__ = ["is_safe_key"]

_SAFE = re.compile(
    r"""user\.(name|email|signingkey|useconfigonly)|(author|committer)\.(name|email)|color\.[\w.-]+|advice\.\w+|column\.\w+
    |init\.defaultbranch|core\.(autocrlf|safecrlf|eol|filemode|ignorecase|quotepath|precomposeunicode|symlinks|whitespace|abbrev
    |longpaths|logallrefupdates|compression|untrackedcache|preloadindex|commentchar|trustctime|checkstat|sharedrepository
    |bigfilethreshold|protecthfs|protectntfs|multipackindex|commitgraph|packedgitlimit|packedgitwindowsize|loosecompression|excludesfile)
    |branch\.[^:]+\.(merge|rebase|description)|branch\.(autosetupmerge|autosetuprebase|sort)
    |push\.(default|autosetupremote|followtags|gpgsign|recursesubmodules)|pull\.(rebase|ff|twohead|octopus)
    |fetch\.(prune|prunetags|parallel|writecommitgraph|recursesubmodules|showforcedupdates|output)
    |merge\.(ff|conflictstyle|renames|renamelimit|log|stat|verbosity|autostash|branchdesc|directoryrenames)
    |rebase\.(autosquash|autostash|stat|updaterefs|missingcommitscheck|abbreviatecommands|forkpoint)
    |gpg\.format|protocol\.version|commit\.(gpgsign|template|verbose|cleanup|status)|tag\.(gpgsign|sort|forcesignannotated)|log\.\w+|status\.\w+|stash\.\w+
    |diff\.(algorithm|renames|renamelimit|mnemonicprefix|noprefix|colormoved|colormovedws|context|interhunkcontext|submodule
    |wserrorhighlight|statgraphwidth|indentheuristic|relative|ignoresubmodules|autorefreshindex|statnamewidth|dirstat|wordregex)
    |format\.(pretty|signoff|numbered|coverletter|thread)|grep\.(linenumber|column|patterntype|extendedregexp|fullname|threads)
    |rerere\.\w+|gc\.(auto|autodetach|autopacklimit|pruneexpire|reflogexpire|writecommitgraph)|index\.\w+|feature\.\w+
    |http\.(postbuffer|lowspeedlimit|lowspeedtime|version|maxrequests)|safe\.directory|checkout\.\w+|clean\.requireforce
    |apply\.(whitespace|ignorewhitespace)|blame\.(date|blankboundary|coloring|showemail|showroot)|versionsort\.\w+
    |worktree\.guessremote|submodule\.(recurse|fetchjobs)|i18n\.\w+|pack\.(threads|windowmemory|depth|window|compression)
    |receive\.denycurrentbranch|remote\.[^:]+\.(prune|fetch|tagopt)|help\.autocorrect|showbranch\.\w+|pretty\.[\w-]+""",
    re.VERBOSE,
)


def is_safe_key(key: str) -> bool:
    """Whether setting the key runs nothing.

    >>> is_safe_key("user.name"), is_safe_key("core.pager")
    (True, False)
    """
    return _SAFE.fullmatch(key.lower()) is not None
