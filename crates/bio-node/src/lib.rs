//! Node-API wrappers around `bio-kernels`: they convert arguments and errors, and hold no arithmetic.
