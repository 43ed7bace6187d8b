"""Who may do what, by the templates: IAM policies, the edges between services, and the gate before the engines."""
