"""What a policy would do with the mail of coming days, in numbers, in words and as a picture."""
