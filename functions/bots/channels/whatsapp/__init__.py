"""WhatsApp Cloud API: requests, replies and errors of Graph."""
