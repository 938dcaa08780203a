"""Turns the library's docstrings into the Markdown that Griffe reads."""

import re
import textwrap

from public_names import definitions

DEFINITIONS = definitions()
EXAMPLE = re.compile(r"(?m)^( *)(Examples?:)(.*)$")
# Sections that Griffe would read otherwise: of text, where it looks for a type, and one of its own.
TEXTS = re.compile(r"(?m)^(Returns|Yields|Warns|Call arguments):\n((?: {4}.*\n?|\n)+)")
CALL_ARGUMENT = re.compile(r"(?m)^([\w*, ]+): ")
CODE = re.compile(r"(?s)(```.*?```|`[^`\n]+`)")


def identifier(written, package):
    """The full name of a public object that a docstring of a package mentions, or `None`."""
    parts = written.removesuffix("()").split(".")
    if parts[0] == "kd":
        package = parts[1] if len(parts) == 3 else ""
    elif len(parts) > 1:
        return None
    return DEFINITIONS.get((package, parts[-1])) if len(parts) <= 3 else None


def linked(text, package, own=None):
    """Text whose `names in code` lead to their pages; code blocks stay as they are."""

    def link(match):
        code = match[0]
        target = None if code.startswith("```") else identifier(code[1:-1], package)
        return f"[{code}][{target}]" if target and target != own else code

    return CODE.sub(link, text)


def fenced(text):
    """Text whose examples after `>>>`, up to an empty line, are blocks of code."""
    lines, inside = [], False
    for line in text.splitlines():
        if not inside and line.lstrip().startswith(">>>"):
            lines.append(f"{' ' * (len(line) - len(line.lstrip()))}```pycon")
            inside = True
        elif inside and not line.strip():
            lines.append("```")
            inside = False
        lines.append(line)
    return "\n".join([*lines, "```"] if inside else lines)


def section(found):
    """A section of text, or the list of the arguments of a call, under a heading in bold."""
    content = textwrap.dedent(found[2])
    if found[1] == "Call arguments":
        content = CALL_ARGUMENT.sub(r"- **`\1`** – ", content)
    return f"**{found[1]}:**\n\n{content}"


def markdown(text, package, own=None):
    """A docstring with examples as code, headings in bold, and links to what it names."""
    text = fenced(textwrap.dedent(text))
    text = EXAMPLE.sub(r"\1**\2**\3", text)
    text = re.sub(r"(?m)^(References?:)", r"**\1**", text)
    text = TEXTS.sub(section, text)
    return linked(text, package, own)
