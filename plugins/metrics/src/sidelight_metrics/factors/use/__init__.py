"""Use of a true factor by the explained model, as each family of explanations says it."""
