"""Completion scripts, made from the parser, so that they never lag behind it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from chatflow_jupyter.interfaces.cli.arguments import subcommands
from chatflow_jupyter.interfaces.cli.parser import build_parser

FILES = frozenset({"-f", "--parameters-file", "--context", "--save", "--home", "--data"})


def completion(options: argparse.Namespace) -> int:
    """Print the script for the named shell."""
    words = dict(_commands(build_parser()))
    print({"bash": _bash, "zsh": _zsh, "fish": _fish}[options.shell](words))
    return 0


def _commands(
    parser: argparse.ArgumentParser, prefix: str = ""
) -> Iterator[tuple[str, tuple[str, list[tuple[str, str]]]]]:
    """Yield `(command, (help, [(option or subcommand, help)]))`, the program itself as the empty name."""
    offered: list[tuple[str, str]] = []
    below: list[tuple[str, argparse.ArgumentParser]] = []
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way to read a parser back
        entries = subcommands(action)
        if entries and isinstance(action.choices, dict):
            offered += entries
            below += [(name, action.choices[name]) for name, _ in entries]
        elif action.choices is not None and not action.option_strings:
            offered += [(str(choice), "") for choice in action.choices]
        else:
            offered += [(option, action.help or "") for option in action.option_strings]
    yield prefix, (parser.description or "", offered)
    for name, child in below:
        yield from _commands(child, f"{prefix} {name}".strip())


def _bash(words: dict[str, tuple[str, list[tuple[str, str]]]]) -> str:
    cases = "\n".join(
        f"    '{name}') words='{' '.join(word for word, _ in offered)}' ;;"
        for name, (_, offered) in words.items()
    )
    files = "|".join(sorted(FILES))
    families = "".join(f"'{name}'|" for name in words if " " in name)
    return f"""\
_chatflow() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" name='' word words=''
  COMPREPLY=()
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$name $word" in
      ' '-*) ;;
      {families}' '*) case "$word" in -*) ;; *) name="${{name:+$name }}$word" ;; esac ;;
    esac
  done
  case "$name" in
{cases}
  esac
  case "$previous" in {files}) words='' ;; esac
  [ -n "$words" ] && mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  [ ${{#COMPREPLY[@]}} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "$current")
}}
complete -o filenames -F _chatflow chatflow"""


def _zsh(words: dict[str, tuple[str, list[tuple[str, str]]]]) -> str:
    cases = "\n".join(
        f"    '{name}') offered=({' '.join(_zsh_word(word, summary) for word, summary in offered)}) ;;"
        for name, (_, offered) in words.items()
    )
    families = "".join(f"'{name}'|" for name in words if " " in name)
    return f"""\
#compdef chatflow
_chatflow() {{
  local name='' word
  local -a offered
  for word in "${{(@)words[2,CURRENT-1]}}"; do
    case "$word" in -*) continue ;; esac
    case "$name $word" in {families}' '*) name="${{name:+$name }}$word" ;; esac
  done
  case "$name" in
{cases}
  esac
  _describe 'chatflow' offered || _files
}}
compdef _chatflow chatflow"""


def _zsh_word(word: str, summary: str) -> str:
    text = summary.replace("'", "").replace(":", " -")
    return f"'{word}:{text}'" if text else f"'{word}'"


def _fish(words: dict[str, tuple[str, list[tuple[str, str]]]]) -> str:
    lines = []
    for name, (_, offered) in words.items():
        seen = " ".join(f"__fish_seen_subcommand_from {part};" for part in name.split())
        when = f"{seen.rstrip(';').replace('; ', '; and ')}" if name else "__fish_use_subcommand"
        for word, summary in offered:
            text = summary.replace("'", "")
            described = f" -d '{text}'" if text else ""
            if word.startswith("--"):
                place = f" -F -r -l {word[2:]}" if word in FILES else f" -l {word[2:]}"
            elif word.startswith("-"):
                place = f" -s {word[1:]}"
            else:
                place = f" -f -a {word}"
            lines.append(f"complete -c chatflow -n '{when}'{place}{described}")
    return "\n".join(lines)
