"""Hash-grid NeuS: a learned correction of a dense field that holds detail finer than any affordable grid."""
