"""One self-contained page from results: what a colleague without Python can open."""
