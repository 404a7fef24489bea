"""Shared parts of torch plugins. A convenience, not a contract: a plugin may do without it.

- `seeding`: random streams without touching torch's global one
- `classifier`: a base for classifiers that are torch modules
- `preprocessing`, `trial`: a model behind its preprocessing, and whether it can be explained
- `model_source`, `source_classifier`, `class_names`: bases of classifiers whose network a library builds
- `weights_files`, `weights_outline`: state dicts of files, or their names and shapes alone
- `source_text`: constants of an installed package, without importing it
- `modules`: networks in evaluation mode, watched, saved
- `layers`: a layer of a classifier, and the rest of the classifier as a function of it
- `batching`: bounded memory
- `arrays`: between torch and numpy
- `images`: resizing and blurring
- `baselines`, `imputation`: black, mean, blurred or interpolated pixels in place of hidden ones
- `curves`: insertion and deletion curves
- `perceptual`, `lpips_weights`: LPIPS, and its formula on other networks
- `training`: a loop counted in steps
- `compiling`: classifiers compiled by torch
- `host_reads`: counter of the values that a loop makes the host wait for
- `pickles`, `pickled_tensors`, `torch_files`: files of `torch.save` read as data, every tensor inside its storage
- `factors`: a network that reads ground-truth factors off images
"""
