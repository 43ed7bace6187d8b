"""The platform, declared once as data: tables, resources, routes, functions, schedules, queues.

`infra` turns the declarations into CloudFormation and `local` runs them on one machine, so the local stack runs what
is deployed. `functions`, `routes` and `queues` have one module per slice and gather what the slices declare.
"""
