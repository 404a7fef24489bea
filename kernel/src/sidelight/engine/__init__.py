"""Running a resolved recipe: plan, store, steps, manifest."""
