//! Runs `deltasteer replay` on the bad feed, and counts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::feed::{self, Act};
use super::picture::number;

/// Seconds after which the first memory figure is taken: caches and buffers are filled then.
const SETTLED_S: u64 = 30;

/// Runs the soak test: `soak [SECONDS]`.
pub fn main() -> anyhow::Result<()> {
    let seconds = std::env::args().nth(1).map_or(Ok(180), |text| text.parse::<u64>()).context("expected SECONDS")?;
    ensure!(seconds > 2 * SETTLED_S, "expected more than {} seconds", 2 * SETTLED_S);
    let folder = tempfile::tempdir()?;
    let (csv, video) = (folder.path().join("soak.csv"), folder.path().join("soak.mp4"));
    let stop = Arc::new(AtomicBool::new(false));
    let (address, sent, server) = feed::serve(stop.clone())?;
    let mut replay = Command::new(program()?)
        .args(["replay", &format!("http://{address}/")])
        .args(["--csv".as_ref(), csv.as_os_str(), "--video".as_ref(), video.as_os_str()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("the command deltasteer")?;
    println!("a live feed of {} frames a second for {seconds} s, played and recorded", feed::RATE_HZ);
    let memory = watch(&mut replay, Duration::from_secs(seconds))?;
    let before_end = sent.lock().unwrap_or_else(PoisonError::into_inner).len();
    let ended = Command::new("kill").args(["-TERM", &replay.id().to_string()]).status()?;
    ensure!(ended.success(), "the signal could not be sent");
    let output = replay.wait_with_output()?;
    stop.store(true, Ordering::Relaxed);
    server.join().map_err(|_| anyhow::anyhow!("the feed panicked"))??;
    let summary = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "replay failed: {summary}");

    let sent = sent.lock().unwrap_or_else(PoisonError::into_inner)[..before_end].to_vec();
    let rows = std::fs::read_to_string(&csv)?.lines().count() - 1;
    let recorded = numbers(&video)?;
    println!("sent         {} frames", sent.len());
    println!("shown        {rows} frames (lines of the CSV)");
    // The video has a steady rate: where frames are late a picture is repeated.
    let distinct: BTreeSet<u32> = recorded.iter().copied().filter(|&number| (number as usize) < sent.len()).collect();
    println!("recorded     {} different frames ({} pictures of the video)", distinct.len(), recorded.len());
    println!("damaged      {} frames, with the number of another", rows.saturating_sub(distinct.len()));
    print_lost(&sent, &distinct);
    for line in
        summary.lines().filter(|line| ["dropped", "stalled", "skipped"].iter().any(|what| line.starts_with(what)))
    {
        println!("  replay says: {line}");
    }
    let mb = |bytes: u64| bytes as f64 / 1e6;
    println!("memory       {:.1} MB after {SETTLED_S} s, {:.1} MB at the end", mb(memory.0), mb(memory.1));
    Ok(())
}

/// Frames that are not in the recording, by what the feed was doing when it sent them.
fn print_lost(sent: &[Act], recorded: &BTreeSet<u32>) {
    let mut lost: BTreeMap<(Act, &str), usize> = BTreeMap::new();
    for (number, &act) in sent.iter().enumerate() {
        if recorded.contains(&(number as u32)) {
            continue;
        }
        // The last frames before the connection ends are still in buffers on the way.
        let last = sent[number..].iter().take(feed::RATE_HZ as usize).any(|&next| next != act);
        *lost.entry((act, if last { "within a second of a change" } else { "in between" })).or_default() += 1;
    }
    println!("lost         {} frames", lost.values().sum::<usize>());
    for ((act, place), count) in lost {
        println!("  {count:6} in {act:?}, {place}");
    }
}

/// The command beside this example's folder.
fn program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let program = own.parent().and_then(Path::parent).context("this program's folder")?.join("deltasteer");
    if !program.is_file() {
        bail!("{}: is not built; make soak builds it", program.display());
    }
    Ok(program)
}

/// Lets the command run; its resident bytes once it has settled and at the end.
fn watch(replay: &mut Child, time: Duration) -> anyhow::Result<(u64, u64)> {
    let begun = Instant::now();
    let mut first = 0;
    let mut next_line = Duration::from_secs(600);
    while begun.elapsed() < time {
        std::thread::sleep(Duration::from_secs(1));
        if let Some(status) = replay.try_wait()? {
            bail!("replay ended by itself after {:.0} s: {status}", begun.elapsed().as_secs_f64());
        }
        if first == 0 && begun.elapsed().as_secs() >= SETTLED_S {
            first = resident_bytes(replay.id())?;
        }
        if begun.elapsed() > next_line {
            println!(
                "  {:.0} min: {:.1} MB",
                begun.elapsed().as_secs_f64() / 60.0,
                resident_bytes(replay.id())? as f64 / 1e6
            );
            next_line += Duration::from_secs(600);
        }
    }
    Ok((first, resident_bytes(replay.id())?))
}

fn resident_bytes(process: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// The numbers in the pictures of a video.
fn numbers(video: &Path) -> anyhow::Result<Vec<u32>> {
    let mut source = deltasteer_data::open(&video.to_string_lossy())?;
    let mut numbers = Vec::new();
    while let Some(frame) = source.next_frame()? {
        numbers.push(number(&frame.image));
    }
    Ok(numbers)
}
