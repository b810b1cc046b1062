"""What a YAML file of the configuration may be: told by name and line before Hydra reads it."""

from pathlib import Path

import yaml

CONF = Path(__file__).parent / "conf"
HEADER = "# @package _global_"  # without it Hydra puts what a file changes where nothing looks


def check_yaml(path: Path) -> dict[str, yaml.Node]:
    """The mapping in a YAML file as it is written; ValueError in one line for anything else.

    A key that is there twice is refused, and so are aliases: nine short lines of them can stand
    for a billion values.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if "*" in text:
            check_no_alias(path, text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"{path}{line}: {error.problem or error.context}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is no YAML: {error}") from error
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise ValueError(f"{path} must hold a mapping")
    check_keys(path, node)
    return {str(key.value): value for key, value in node.value}


def check_no_alias(path: Path, text: str) -> None:
    """ValueError for an alias, by its line."""
    for token in yaml.scan(text):
        if isinstance(token, yaml.AliasToken):
            line = token.start_mark.line + 1
            raise ValueError(f"{path}, line {line}: *{token.value} is an alias, which is not taken")


def check_keys(path: Path, node: yaml.Node) -> None:
    """ValueError for a key that a mapping has twice, here or further in."""
    if isinstance(node, yaml.SequenceNode):
        for inner in node.value:
            check_keys(path, inner)
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, inner in node.value:
            name = str(key.value)
            if name in seen:
                raise ValueError(f"{path}, line {key.start_mark.line + 1}: {name!r} is there twice")
            seen.add(name)
            check_keys(path, inner)


def check_ablation(path: Path, known: frozenset[str]) -> None:
    """ValueError for an ablation's file that would change nothing, or a key that there is not."""
    found = check_yaml(path)
    if path.read_text(encoding="utf-8").splitlines()[:1] != [HEADER]:
        raise ValueError(f"{path} must begin with the line {HEADER!r}, or it changes nothing")
    for key in found:
        if key not in known:
            raise ValueError(f"{path}: there is no {key!r} to change: {', '.join(sorted(known))}")
    if not isinstance(found.get("defaults"), yaml.SequenceNode | None):
        raise ValueError(f"{path}: defaults must be a list of names")


def names_in(group: Path) -> list[str]:
    """The names that can be chosen of a folder of conf/."""
    return sorted(path.stem for path in group.glob("*.yaml"))


def check_choice(group: Path, name: str) -> None:
    """ValueError for a name that no file of the folder has: "../ablation/no_noise"."""
    if name not in (there := names_in(group)):
        raise ValueError(f"there is no {group.name} {name!r}: choose from {', '.join(there)}")
