//! The `exutil` command: everything is in the library.

#![forbid(unsafe_code)]

fn main() {
    std::process::exit(exutil::cli::main(std::env::args_os()).code());
}
