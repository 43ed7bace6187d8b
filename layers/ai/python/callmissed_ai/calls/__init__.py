"""The pipeline of a billed call: who pays, what is held, what is charged."""
