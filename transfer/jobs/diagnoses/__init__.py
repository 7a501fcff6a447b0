"""Looking into a network: what data does in it, what it costs, what can be mended."""
