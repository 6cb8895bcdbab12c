"""LoRA fine-tuning under torchrun."""
