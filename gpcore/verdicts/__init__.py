"""Many runs: experiments, standings over seeds, statistics, and the verdicts that follow."""
