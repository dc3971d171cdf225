"""interfirm: firms share business facts as if they kept one set of books, while each keeps its own."""
