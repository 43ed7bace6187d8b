"""What the templates create, in the local engines; and the end of a stage, by the guide."""
