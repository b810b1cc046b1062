"""A table in LaTeX: booktabs' rules, intervals in small script below the numbers."""

from collections.abc import Sequence

from reports.tables.table import Cell, Column, Table

DAGGER = r"\textsuperscript{$\dagger$}"
SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{mark: f"\\{mark}" for mark in "_%&#$"},
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    '"': "''",
    "\N{MINUS SIGN}": "$-$",
    "\N{EN DASH}": "--",
    "\N{EM DASH}": "---",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT SINGLE QUOTATION MARK}": "`",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``",
    "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{DEGREE SIGN}": r"$^\circ$",
    "\N{UPWARDS ARROW}": r"$\uparrow$",
    "\N{DOWNWARDS ARROW}": r"$\downarrow$",
    "\N{GREEK SMALL LETTER SIGMA}": r"$\sigma$",
    "\N{NO-BREAK SPACE}": "~",
    "\N{DAGGER}": DAGGER,
}
LAST_LETTER = "\N{LATIN SMALL LETTER Z WITH CARON}"  # up to here every LaTeX has the letters


def escape(text: str) -> str:
    """Text that LaTeX prints as it is; "?" for a letter that its usual fonts lack."""
    shown = (SPECIAL.get(letter, letter) for letter in " ".join(text.split()))
    return "".join(letter if letter[0] <= LAST_LETTER else "?" for letter in shown)


def latex(table: Table, caption: str) -> str:
    """A table environment, shrunk to the page; it needs array, booktabs and graphicx."""
    kinds = "".join(map(alignment, table.columns))
    head = " & ".join(escape(column.title) for column in table.columns)
    lines = [
        r"\begin{table*}[tp]",
        r"\centering\small",
        rf"\caption{{{escape(caption)}}}",
        rf"\label{{tab:{table.name}}}",
        r"\vspace{4pt}",
        r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{kinds}}}",
        r"\toprule",
        rf"{head} \\",
        r"\midrule",
    ]
    rows = beside if any(column.long for column in table.columns) else below
    for number, row in enumerate(table.rows):
        if number and number == table.references:
            lines.append(r"\midrule")
        lines += rows(row)
    lines += [r"\bottomrule", r"\end{tabular}}", r"\end{table*}", ""]
    return "\n".join(lines)


def alignment(column: Column) -> str:
    if column.long:
        return r">{\raggedright\arraybackslash}p{6cm}"
    return "l" if column.words else "r"


def below(row: Sequence[Cell]) -> list[str]:
    """The numbers, and below them the intervals where there are any."""
    lines = [" & ".join(map(number, row)) + r" \\"]
    if any(cell.interval for cell in row):
        lines.append(" & ".join(map(interval, row)) + r" \\[2pt]")
    return lines


def beside(row: Sequence[Cell]) -> list[str]:
    """Each number with its interval behind it, where sentences take several lines."""
    return [" & ".join(f"{number(cell)}~~{interval(cell)}".strip("~") for cell in row) + r" \\"]


def number(cell: Cell) -> str:
    text = escape(cell.text)
    mark = rf"\rlap{{{DAGGER}}}" if cell.clear else ""  # of no width: the digits stay aligned
    return (rf"\textbf{{{text}}}" if cell.best else text) + mark


def interval(cell: Cell) -> str:
    return rf"{{\scriptsize {escape(cell.interval)}}}" if cell.interval else ""
