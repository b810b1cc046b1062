"""One file a figure: draw(table, ...) -> Figure."""
