"""Running a resolved recipe.

`api` is `sidelight.run` and `sidelight.serve`. A run makes a `plan` of steps, which the `pipeline` takes one after the
other; `steps` has one method for each verb. They share a `session`: live components, watched by the `guard`, and a
`store` of results under their `keys`. Meanwhile `progress` is shown; `results` is the run's folder and the finished
run. `machine` knows device, threads and Ctrl-C.
"""
