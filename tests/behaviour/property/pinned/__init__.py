"""Programs that random ones found to be compiled wrongly once, as `program_text` writes them."""
