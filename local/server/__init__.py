"""The local stack's web server: the gateway, and `/_local` for developers, on one port of the loopback interface."""
