//! Prints the table of problems: `cargo run --example problem_table > docs/problems.md`.

fn main() {
    print!("{}", exutil::cli::docs::problem_table());
}
