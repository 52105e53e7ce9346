"""How a theme goes on from day to day: which one it is, how it stands, how that is said."""
