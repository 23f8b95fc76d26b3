"""Several judges, each answer kept, none trusted."""
