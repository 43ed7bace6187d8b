"""A rehearsal of a deployment without an account: the synthesised templates, brought to life on this machine.

The templates of `cdk.out` decide everything: which tables, queues and functions exist, which role a function has, which
path of the API leads to which function. Nothing is read from the declarations of which they were made.

1. `templates`: synthesis, then a plan. Every reference is resolved or named as a problem.
2. `access`: IAM. Whether every edge between services has a policy that allows it, and a gate before the engines that
   refuses what a function's role does not allow.
3. `stage`: what the templates create, in the local engines; and how the stage is torn down by the guide.
4. `runtime`: each function's bundle under AWS's own runtime client, or by its start script behind a stand-in for the
   Lambda Web Adapter.
5. `smoke`: the product used from outside, through the API that the template describes.

Different from AWS: layers of third-party libraries are built for this machine (the recipe is the same), the engines are
reached by an endpoint in the environment, webhooks may call this machine, and a function has one environment.
"""
