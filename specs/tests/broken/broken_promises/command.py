"""A command that keeps its promises."""


def add_arguments(parser):
    parser.add_argument("--loud", action="store_true", help="say so")


def run(arguments, host):
    return 0
