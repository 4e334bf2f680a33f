"""Whether a partner's result counts: joining what is known about it, the suites of expectations, judging. No I/O."""
