"""The command `daas`: what an administrator does beside the hub, with the hub's configuration.

`__main__` reads the command line, `configuration` the hub's files; one module per subcommand.
"""
