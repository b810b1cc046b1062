"""The page that needs no network: HTML, its pictures and its sounds."""
