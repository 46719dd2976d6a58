"""Trains and samples a class-conditional U-Net diffusion model."""
