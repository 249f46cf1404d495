//! A soak test: a live feed that stalls, ends, restarts, changes its size and sends garbage is played and recorded for as long as
//! you like. `make soak` runs it for three minutes, `make soak SECONDS=86400` for a day.
//!
//! It prints the frames that were sent, shown and recorded, those that were lost with what the feed was doing then, and the
//! resident memory near the start and at the end. Each picture holds its own number, so that the recording tells which frames are
//! in it. Needs the feature `opencv`.

#[cfg(all(feature = "opencv", target_os = "linux"))]
mod feed;
#[cfg(all(feature = "opencv", target_os = "linux"))]
mod picture;
#[cfg(all(feature = "opencv", target_os = "linux"))]
mod run;

#[cfg(all(feature = "opencv", target_os = "linux"))]
fn main() -> anyhow::Result<()> {
    run::main()
}

#[cfg(not(all(feature = "opencv", target_os = "linux")))]
fn main() {
    println!("The soak test needs Linux and a build with --features opencv.");
}
