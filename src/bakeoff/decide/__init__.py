"""What follows from numbers: verdicts of gates, costs, advice."""
