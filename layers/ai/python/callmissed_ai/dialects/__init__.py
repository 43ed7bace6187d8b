"""Wire formats of model APIs, one module a dialect."""
