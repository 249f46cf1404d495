//! `cargo bench -p deltasteer-temporal`: the table of `deltasteer bench rnn`. Arguments: sizes as
//! `INPUTSxHIDDEN`; storages; occupancies. Without any: all of them.

use deltasteer_temporal::{
    Storage,
    bench::{BenchSettings, run},
};

fn main() -> Result<(), deltasteer_temporal::TemporalError> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let mut settings = BenchSettings::default();
    let size = |a: &String| a.split_once('x').and_then(|(i, h)| Some((i.parse().ok()?, h.parse().ok()?)));
    let sizes: Vec<(usize, usize)> = arguments.iter().filter_map(size).collect();
    if !sizes.is_empty() {
        settings.sizes = sizes;
    }
    let storage = |a: &String| Storage::ALL.into_iter().find(|s| s.name() == a);
    let storages: Vec<Storage> = arguments.iter().filter_map(storage).collect();
    if !storages.is_empty() {
        settings.storages = storages;
    }
    let occupancies: Vec<f64> = arguments.iter().filter_map(|a| a.parse().ok()).collect();
    if !occupancies.is_empty() {
        settings.occupancies = occupancies;
    }
    println!(
        "kernel    inputs hidden storage columns occupancy  delta_us  dense_us  macs/  time/  dense_GB/s  of_memory"
    );
    for row in run(&settings, &mut |_, _| true)? {
        println!(
            "{:9} {:6} {:6} {:7} {:7} {:8.4} {:9.3} {:9.3} {:6.1} {:6.1} {:11.1} {:10.2}",
            row.kernel,
            row.inputs,
            row.hidden,
            row.storage.name(),
            row.columns,
            row.occupancy,
            row.step_us_delta,
            row.step_us_dense,
            row.savings_macs,
            row.savings_time,
            row.dense_gb_s,
            row.dense_bandwidth_share
        );
    }
    Ok(())
}
