"""Evidence for a distillation: how far its pictures are from real ones, and what they cost."""
