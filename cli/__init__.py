"""The `callmissed` command line: how an operator bootstraps and watches a stage."""
