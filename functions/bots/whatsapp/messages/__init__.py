"""Messages to end users of WhatsApp, sent by API keys and by people."""
