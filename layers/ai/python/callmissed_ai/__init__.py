"""Every billed AI call, as a library without HTTP."""
