"""Floor 5: from results to a judgement and from a judgement to something to read. Needs no torch."""
