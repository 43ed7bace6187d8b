"""The state folder, and what a start restores from it: the developer's tenant, and lost messages of queues."""
