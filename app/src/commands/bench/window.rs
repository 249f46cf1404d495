//! `bench window`: frames, redraws and processor time of the window on this display.

use anyhow::bail;

use crate::cli::BenchWindowArgs;
use crate::pipeline::Pace;
use crate::window::{Place, Start, measure};

/// Runs `bench window`.
///
/// # Errors
/// A source or model that cannot be opened, no display, or standard output that cannot be written.
pub fn run(args: &BenchWindowArgs) -> anyhow::Result<()> {
    if !(args.seconds.is_finite() && args.seconds > 0.0) {
        bail!("--seconds is {}; expected a number above zero", args.seconds);
    }
    let start = Start {
        source: args.source.clone(),
        model: args.model.clone().map_or_else(|| crate::shipped::for_source(&args.source), Ok)?,
        theta_x: None,
        theta_h: None,
        pace: Pace::Times(1.0),
        playing: true,
        place: Place::Frame(0),
    };
    let phases = measure(start, args.seconds)?;
    if args.json {
        crate::say!("{}", serde_json::to_string(&phases)?)?;
        return Ok(());
    }
    crate::say!("{}, {} s each", args.source, args.seconds)?;
    crate::say!("phase           frames due  answered  painted  redraws/s  cores")?;
    for phase in &phases {
        crate::say!(
            "{:15} {:10.0} {:9} {:8} {:10.1} {:>6}",
            phase.name,
            phase.due,
            phase.answered,
            phase.painted,
            phase.redraws as f64 / phase.seconds,
            phase.cores.map_or("-".to_owned(), |cores| format!("{cores:.3}")),
        )?;
    }
    Ok(())
}
