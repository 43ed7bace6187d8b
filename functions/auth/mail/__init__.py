"""Mails to people: jobs of a queue, templates, and the ways out."""
