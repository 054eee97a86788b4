"""`make bench`: what one relay process does, beside the same mail sent without it."""
