"""What exists, declared once as data: tables, functions, routes, schedules.

`infra` turns these declarations into CloudFormation and `local` runs them on one machine,
so what runs on the desk is what gets deployed.
"""
