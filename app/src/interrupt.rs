//! Ctrl-C, SIGTERM and SIGHUP: the first one sets a flag, the second one ends the program at once.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

/// The flag that the first signal sets. Work stops at its next safe place, keeps what is finished and removes what is not.
///
/// A signal that the parent process has switched off stays off: `nohup` ignores SIGHUP, and shells without job control ignore
/// SIGINT for a program in the background.
pub fn interrupted() -> &'static Arc<AtomicBool> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    FLAG.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let ignored = ignored_signals();
        for &signal in signals() {
            if ignored >> (signal - 1) & 1 == 0 {
                // The order matters: the second signal finds the flag set. Without a handler a signal ends the program at once.
                let _ = signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, flag.clone());
                let _ = signal_hook::flag::register(signal, flag.clone());
            }
        }
        flag
    })
}

#[cfg(unix)]
fn signals() -> &'static [i32] {
    &[signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP]
}

#[cfg(not(unix))]
fn signals() -> &'static [i32] {
    &[signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM]
}

/// One bit a signal, the lowest for signal 1, as Linux states them; elsewhere none is known.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
