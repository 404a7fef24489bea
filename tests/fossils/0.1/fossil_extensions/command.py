def add_arguments(parser):
    parser.add_argument("run", metavar="RUN", help="the folder of a finished run")


def run(arguments, host):
    for name, found in host.load_run(arguments.run).results.explanations.items():
        if found.kind == "fossil.prototypes":
            rows = [(name, str(index), str(labels)) for index, labels in enumerate(found.labels.tolist())]
            host.write_table(("EXPLAINER", "IMAGE", "LABELS OF PROTOTYPES"), rows)
    return 0
