//! All parsers of `deltasteer-data`: the first byte chooses one, the rest is its input.
#![no_main]

use std::sync::OnceLock;

use deltasteer_data::fuzz::{Target, targets};
use libfuzzer_sys::fuzz_target;

static TARGETS: OnceLock<Vec<Target>> = OnceLock::new();

fuzz_target!(|bytes: &[u8]| {
    let targets = TARGETS.get_or_init(targets);
    if let [which, input @ ..] = bytes {
        (targets[usize::from(*which) % targets.len()].run)(input);
    }
});
