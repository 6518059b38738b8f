//! The exutil command.
fn main() {}
