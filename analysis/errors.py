"""What the analysis may lack without being wrong."""


class Unavailable(ValueError):
    """A model or package that is not here: its evaluators are skipped with this one line."""
