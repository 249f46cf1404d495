//! The command `deltasteer`.

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::Parser;
use deltasteer::stdout::StdoutError;
use deltasteer::warn;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc's `mi_option_t`: milliseconds until freed pages go back to the system.
const PURGE_DELAY: i32 = 15;
/// With the 10 ms that it has by itself, the pages of pictures on their way between threads go back and are cleared again: a tenth
/// of the time of a replay.
const PURGE_DELAY_MS: std::ffi::c_long = 1000;

/// The exit status of a program whose reader has gone, as shells report it.
const NO_READER: u8 = 128 + 13;

fn main() -> ExitCode {
    // SAFETY: the call sets a number that the allocator reads; mimalloc allows it at any time.
    #[allow(unsafe_code)]
    unsafe {
        libmimalloc_sys::mi_option_set_default(PURGE_DELAY, PURGE_DELAY_MS);
    }
    let cli = match deltasteer::cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            // Help goes to standard output, which may be full or closed.
            let printed = usage.print().map_err(|error| anyhow::Error::from(StdoutError(error)));
            let status = u8::try_from(usage.exit_code()).unwrap_or(2);
            return printed.map_or_else(|error| failed(&error), |()| ExitCode::from(status));
        }
    };
    deltasteer::commands::run(cli).unwrap_or_else(|error| failed(&error))
}

fn failed(error: &anyhow::Error) -> ExitCode {
    // A reader that has seen enough (`| head`) is no fault.
    if error.downcast_ref::<StdoutError>().is_some_and(|error| error.0.kind() == ErrorKind::BrokenPipe) {
        return ExitCode::from(NO_READER);
    }
    warn!("deltasteer: {error:#}");
    ExitCode::FAILURE
}
