"""Commands that take their time: runs, nights, merges, imports, rescoring."""
