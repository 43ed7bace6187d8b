"""Where bots meet end users."""
