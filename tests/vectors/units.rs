//! Single functions.
