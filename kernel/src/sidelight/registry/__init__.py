"""Registry of what is installed; nothing of a plugin runs before the step that needs it.

`catalog` reads entry points (nothing is imported) and answers for names -> `policy` says which may be loaded -> `load`
imports one light module in isolation, through pluggy, or all of them in a child process. Beside them, `code` digests
the sources behind a component, for the keys of the store.
"""
