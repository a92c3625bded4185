"""What trains a detector; with torch, torchvision and numpy alone, so that it runs anywhere."""
