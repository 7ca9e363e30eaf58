"""burnish: from a pretrained model and your labelled data to a small, measured, documented model."""
