"""One module per data product: a pure function that makes its rows."""
