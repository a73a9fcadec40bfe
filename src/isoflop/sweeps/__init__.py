"""Which runs to make: the recipe's rules, the grid of budgets and widths, the points it comes to."""
