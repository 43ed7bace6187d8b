"""One run of the local stack: the engines, the platform over them, the environment and the web server."""
