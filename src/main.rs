//! The `gaitkeeper` binary; everything is in [`gaitkeeper::cli`].

use std::process::ExitCode;

use gaitkeeper::allocator::Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    gaitkeeper::cli::main()
}
