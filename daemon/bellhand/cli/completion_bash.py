"""Completion for bash: a table of what every command takes, and one function that reads it.

The parser writes a branch with all its texts for every command, 140 kB that each new shell reads; bash shows none of the texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from cyclopts import App

# Of what stands behind an option, or where an argument of a command belongs: live names, a file, or one of a few words.
LIVE, FILE = "!", "@"
SCRIPT = r"""# Completion for bash: source <(bellhand completion bash)
# A line a command: its words, and what it takes. --option takes nothing, --option= a value, * is an argument;
# behind these stand the words that fit, @ for a file, ! for names that the database has now.
_bellhand_table='
%s
'
_bellhand() {
  local cur="${COMP_WORDS[COMP_CWORD]}" word row all path='' option='' fits='' i at=0
  local -a asked=() words=() offered=()
  COMPREPLY=()
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    row="${_bellhand_table#*$'\n'"$path|"}" row="${row%%%%$'\n'*}"
    all="${_bellhand_table#*$'\n|'}" all=" ${path:+$row }${all%%%%$'\n'*} "
    if [[ $word == "=" ]]; then  # bash takes --option=value apart
      ((i == COMP_CWORD)) && cur=''
      continue
    fi
    ((i == COMP_CWORD)) && break
    asked+=("$word")
    if [[ -n $option ]]; then
      option=''
    elif [[ $word == -* ]]; then
      [[ $all == *" $word="* ]] && option="$word"
    elif [[ $_bellhand_table == *$'\n'"${path:+$path }$word|"* ]]; then
      path="${path:+$path }$word"
    else
      ((at += 1))
    fi
  done
  read -ra words <<<"$all"  # which expands no asterisk, as a list of words would
  if [[ -n $option ]]; then
    fits="${all#* "$option="}" fits="${fits%%%% *}"
  elif [[ $cur == -* ]]; then
    for word in "${words[@]}"; do
      [[ $word == -* ]] && offered+=("${word%%%%=*}")
    done
  else
    while IFS='|' read -r word row; do
      [[ $word == "${path:+$path }"* ]] || continue
      word="${word#"${path:+$path }"}"
      [[ -n $word && $word != *' '* ]] && offered+=("$word")
    done <<<"$_bellhand_table"
    for word in "${words[@]}"; do  # the last of them may stand there more than once
      [[ $word == '*'* ]] && ((at-- >= 0)) && fits="${word#?}"
    done
  fi
  case "$fits" in
    '!') _bellhand_live "${asked[@]}" "$cur" ;;
    '@')
      compopt -o filenames 2>/dev/null
      while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$cur")
      ;;
    *) IFS=, read -ra words <<<"$fits" && offered+=("${words[@]}") ;;
  esac
  for word in "${offered[@]}"; do
    [[ $word == "$cur"* ]] && { printf -v word '%%q' "$word"; COMPREPLY+=("$word"); }
  done
}
# What the program offers for these words; whatever it says before it begins was somebody's noise.
_bellhand_live() {
  local program="${COMP_WORDS[0]}" line
  type -P "$program" >/dev/null 2>&1 || [[ -x $program ]] || program=bellhand
  while IFS= read -r line; do
    [[ $line == $'\x1f'* ]] && { offered=(); continue; }
    line="${line%%%%$'\t'*}"
    [[ -n $line ]] && offered+=("$line")
  done < <("$program" __complete "$@" 2>/dev/null)
}
complete -F _bellhand bellhand"""


def script(app: App) -> str:
    """What bash sources; `app` has the whole of every command (tell_all)."""
    return SCRIPT % "\n".join(_rows(app))


def _rows(app: App) -> Iterator[str]:
    yield "|" + " ".join([*_taken(app.meta), *app.help_flags, *app.version_flags])
    yield from _below(app, "")


def _below(app: App, path: str) -> Iterator[str]:
    for name in app:
        if not name.startswith("-") and app[name].show:
            words = f"{path} {name}".lstrip()
            yield f"{words}|" + " ".join(_taken(app[name]))
            yield from _below(app[name], words)


def _taken(one: App) -> Iterator[str]:
    """What a command takes, as the table has it."""
    if one.default_command is None:
        return
    for argument in one.assemble_argument_collection():
        if not argument.show or argument.parameter.parse is False:
            continue
        fits = _fits(argument)
        if argument.index is not None:
            yield f"*{fits}"
            continue
        for name in argument.names:
            if name.startswith("-") and not name.startswith("--empty-"):
                yield name if argument.is_flag() else f"{name}={fits}"


def _fits(argument: Any) -> str:
    """What may stand there."""
    if argument.parameter.completer is not None:
        return LIVE
    if choices := argument.get_choices(force=True):
        return ",".join(choices)
    return FILE if Path in (argument.hint, *get_args(argument.hint)) else ""
