"""What isolation costs. Each script prints ratios of interleaved runs, because machines are shared and noisy."""
