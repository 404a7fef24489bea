"""Registry of what is installed, in five steps; nothing of a plugin runs before the step that needs it.

`discover` reads entry points (nothing is imported) -> `load` imports one light module in isolation, through pluggy ->
`catalog` answers for components by name -> `policy` says which of them may be loaded -> `health` loads all of them in a
child process. Beside them, `code` digests the sources behind a component, for the keys of the store.
"""
