"""Resources that a stage has only where its settings ask for them."""
