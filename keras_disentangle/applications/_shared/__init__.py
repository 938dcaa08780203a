"""How any application trains, is evaluated, compared, traversed and released."""
