//! The command `deltasteer`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    leave_quietly_when_nobody_reads();
    match deltasteer::commands::run(deltasteer::cli::Cli::parse()) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("deltasteer: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A reader that has heard enough (`| head`) is no fault, but `println!` would panic.
fn leave_quietly_when_nobody_reads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str().is_some_and(|text| text.contains("Broken pipe")) {
            std::process::exit(141);
        }
        usual(panic);
    }));
}
