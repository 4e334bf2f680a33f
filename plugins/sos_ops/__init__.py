"""State of Safety (SoS) platform: reads batteries, fuses their analyses into one number a minute, and explains it."""
