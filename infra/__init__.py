"""The cloud description: one stage's stacks, built from the declarations in `callmissed.platform`.

Where a comment makes pyright ignore an argument's type, a class of the CDK and the interface that it implements name
a parameter differently in their Python form.
"""
