"""How a result looks: in a terminal, and later as HTML."""
