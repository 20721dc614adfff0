"""Pages in HTML that need nothing but themselves."""
